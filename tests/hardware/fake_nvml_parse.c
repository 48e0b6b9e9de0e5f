/* The scenario file: one "key value…" per line; "gpu" starts a GPU. Written by nvml.py. */
#include "fake_nvml.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, UNSIGNED, SIGNED, BYTES, TIME_NS, NUMBER };
#define FIELD(key, kind, member) {key, kind, offsetof(struct gpu, member), \
                                  sizeof(((struct gpu *)0)->member)}
static const struct field {
    const char *key;
    enum kind kind;
    size_t offset, size;
} fields[] = {
    FIELD("uuid", TEXT, uuid),
    FIELD("name", TEXT, name),
    FIELD("dev", TEXT, dev),
    FIELD("minor", UNSIGNED, minor),
    FIELD("architecture", UNSIGNED, architecture),
    FIELD("sm_clock_mhz", UNSIGNED, sm_clock_mhz),
    FIELD("temperature_celsius", UNSIGNED, temperature_celsius),
    FIELD("power_limit_mw", UNSIGNED, power_limit_mw),
    FIELD("utilisation_gpu", UNSIGNED, utilisation_gpu),
    FIELD("utilisation_memory", UNSIGNED, utilisation_memory),
    FIELD("power_supported", UNSIGNED, power_supported),
    FIELD("energy_supported", UNSIGNED, energy_supported),
    FIELD("mig_mode", SIGNED, mig_mode),
    FIELD("mig_slices", UNSIGNED, mig_slices),
    FIELD("mig_multiprocessors", UNSIGNED, mig_multiprocessors),
    FIELD("memory_total_bytes", BYTES, memory_total_bytes),
    FIELD("memory_used_bytes", BYTES, memory_used_bytes),
    FIELD("clock_event_reasons", BYTES, clock_event_reasons),
    FIELD("reset_ns", TIME_NS, reset_ns),
    FIELD("lost_ns", TIME_NS, lost_ns),
    FIELD("stuck_ns", TIME_NS, stuck_ns),
    FIELD("refresh_ns", TIME_NS, refresh_ns),
    FIELD("power_window_ns", TIME_NS, power_window_ns),
    FIELD("base_mj", NUMBER, base_mj),
};

static int set_field(struct gpu *g, const struct field *field, const char *value)
{
    char *at = (char *)g + field->offset, *end = NULL;
    switch (field->kind) {
    case TEXT: return (size_t)snprintf(at, field->size, "%s", value) < field->size ? 0 : -1;
    case UNSIGNED: *(unsigned *)at = (unsigned)strtoul(value, &end, 10); break;
    case SIGNED: *(int *)at = (int)strtol(value, &end, 10); break;
    case BYTES: *(uint64_t *)at = strtoull(value, &end, 10); break;
    case TIME_NS: *(int64_t *)at = strtoll(value, &end, 10); break;
    case NUMBER: *(double *)at = strtod(value, &end); break;
    }
    return end && end != value && *end == '\0' ? 0 : -1;
}

/* "SINCE_NS SHAPE ARG…" */
static int add_segment(struct gpu *g, const char *value)
{
    struct segment s = {0};
    char shape[16] = "";
    long long since_ns = 0;
    if (g->segments == MAX_SEGMENTS)
        return -1;
    int found = sscanf(value, "%lld %15s %lf %lf %lf %lf", &since_ns, shape, &s.arg[0], &s.arg[1],
                       &s.arg[2], &s.arg[3]);
    s.since_ns = since_ns;
    if (!strcmp(shape, "constant") && found == 3)
        s.shape = CONSTANT;
    else if (!strcmp(shape, "square") && found == 6 && s.arg[2] > 0)
        s.shape = SQUARE;
    else if (!strcmp(shape, "ramp") && found == 5 && s.arg[2] > 0)
        s.shape = RAMP;
    else
        return -1;
    g->segment[g->segments++] = s;
    return 0;
}

/* "UUID GPU_INSTANCE COMPUTE_INSTANCE SLICES MULTIPROCESSORS MEMORY_BYTES [DEV]" */
static int add_instance(struct gpu *g, const char *value)
{
    if (g->instances == MAX_INSTANCES)
        return -1;
    struct instance *i = &g->instance[g->instances++];
    unsigned long long bytes = 0;
    int found = sscanf(value, "%95s %u %u %u %u %llu %255[^\n]", i->uuid, &i->gpu_instance,
                       &i->compute_instance, &i->slices, &i->multiprocessors, &bytes, i->dev);
    i->memory_bytes = bytes;
    return found >= 6 ? 0 : -1;
}

/* "PID USED_BYTES [GPU_INSTANCE COMPUTE_INSTANCE]" */
static int add_process(struct gpu *g, const char *value)
{
    if (g->processes == MAX_PROCESSES)
        return -1;
    struct process *p = &g->process[g->processes++];
    unsigned long long bytes = 0;
    p->gpu_instance = p->compute_instance = ~0u;
    int found = sscanf(value, "%u %llu %u %u", &p->pid, &bytes, &p->gpu_instance,
                       &p->compute_instance);
    p->used_bytes = bytes;
    return found == 2 || found == 4 ? 0 : -1;
}

static int set_key(struct gpu *g, const char *key, const char *value)
{
    if (!strcmp(key, "segment"))
        return add_segment(g, value);
    if (!strcmp(key, "instance"))
        return add_instance(g, value);
    if (!strcmp(key, "process"))
        return add_process(g, value);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!strcmp(key, fields[i].key))
            return set_field(g, &fields[i], value);
    return -1;
}

static int parse_line(struct scenario *s, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *space = strchr(line, ' '), *value = space ? space + 1 : line + strlen(line);
    if (space)
        *space = '\0';
    if (!*line)
        return 0;
    if (!strcmp(line, "driver"))
        return (size_t)snprintf(s->driver, sizeof s->driver, "%s", value) < sizeof s->driver ? 0
                                                                                             : -1;
    if (!strcmp(line, "init_error"))
        return sscanf(value, "%d", &s->init_error) == 1 ? 0 : -1;
    if (strcmp(line, "gpu"))
        return s->gpus ? set_key(&s->gpu[s->gpus - 1], line, value) : -1;
    if (s->gpus == MAX_GPUS)
        return -1;
    struct gpu *g = &s->gpu[s->gpus++];
    g->power_supported = g->energy_supported = 1;
    g->mig_mode = -1;
    g->reset_ns = g->lost_ns = g->stuck_ns = NEVER_NS;
    return 0;
}

int scenario_parse(const char *path, struct scenario *s)
{
    char line[1024];
    unsigned number = 0;
    FILE *file = fopen(path, "re");
    memset(s, 0, sizeof *s);
    if (!file)
        return -1;
    while (fgets(line, sizeof line, file)) {
        number++;
        if (parse_line(s, line) != 0) {
            fprintf(stderr, "fake nvml: %s:%u: cannot use \"%s\"\n", path, number, line);
            fclose(file);
            return -1;
        }
    }
    fclose(file);
    return 0;
}
