/* The scenario in use, which GPUs this process sees, and what a handle means. */
#define _GNU_SOURCE
#include "fake_nvml.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Bindings call from several threads and without a lock of their own. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct scenario current;
static struct stat seen;
static int64_t looked_ns; /* of the last look at the file that found it good */
static unsigned users;
static char gpu_handles[MAX_GPUS];
static char instance_handles[MAX_GPUS][MAX_INSTANCES];

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* As in a device cgroup: only a refusal hides a GPU; a missing file or driver does not. */
static int may_open(const char *dev)
{
    if (!*dev)
        return 1;
    int fd = open(dev, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno != EPERM && errno != EACCES;
    close(fd);
    return 1;
}

static int same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           !memcmp(&a->st_mtim, &b->st_mtim, sizeof a->st_mtim) &&
           !memcmp(&a->st_ctim, &b->st_ctim, sizeof a->st_ctim);
}

/* Drops instances whose device file is refused. */
static void keep_visible_instances(struct gpu *g)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < g->instances; i++)
        if (may_open(g->instance[i].dev))
            g->instance[kept++] = g->instance[i];
    g->instances = kept;
}

/* A sampler makes dozens of calls in a row: one look at the file serves for 2 ms of them. */
static const int64_t LOOK_NS = 2000000;

static nvmlReturn_t refresh(void)
{
    static struct scenario next;
    struct stat now;
    const int64_t now_ns = monotonic_ns();
    if (looked_ns && now_ns - looked_ns < LOOK_NS)
        return NVML_SUCCESS;
    looked_ns = 0;
    const char *path = getenv("FAKE_NVML_SCENARIO");
    if (!path || stat(path, &now) != 0)
        return NVML_ERROR_DRIVER_NOT_LOADED;
    if (same_file(&now, &seen)) {
        looked_ns = now_ns;
        return NVML_SUCCESS;
    }
    if (scenario_parse(path, &next) != 0)
        return NVML_ERROR_UNKNOWN;
    for (unsigned i = 0; i < next.gpus; i++) {
        next.gpu[i].visible = may_open(next.gpu[i].dev);
        keep_visible_instances(&next.gpu[i]);
    }
    current = next;
    seen = now;
    looked_ns = now_ns;
    return NVML_SUCCESS;
}

static nvmlReturn_t enter(void)
{
    pthread_mutex_lock(&mutex);
    return users ? refresh() : NVML_ERROR_UNINITIALIZED;
}

static nvmlReturn_t leave(nvmlReturn_t result)
{
    pthread_mutex_unlock(&mutex);
    return result;
}

nvmlReturn_t scenario_open(void)
{
    pthread_mutex_lock(&mutex);
    looked_ns = 0;
    if (!users)
        memset(&seen, 0, sizeof seen); /* the device files are tried again */
    nvmlReturn_t result = refresh();
    if (result == NVML_SUCCESS)
        result = current.init_error;
    if (result == NVML_SUCCESS)
        users++;
    return leave(result);
}

nvmlReturn_t scenario_close(void)
{
    pthread_mutex_lock(&mutex);
    if (!users)
        return leave(NVML_ERROR_UNINITIALIZED);
    users--;
    return leave(NVML_SUCCESS);
}

nvmlReturn_t scenario_driver(char text[80])
{
    nvmlReturn_t result = enter();
    memcpy(text, current.driver, sizeof current.driver);
    return leave(result);
}

nvmlReturn_t visible_count(unsigned *count)
{
    nvmlReturn_t result = enter();
    *count = 0;
    for (unsigned i = 0; i < current.gpus; i++)
        *count += current.gpu[i].visible != 0;
    return leave(result);
}

nvmlReturn_t handle_by_index(unsigned index, nvmlDevice_t *device)
{
    nvmlReturn_t result = enter();
    if (result != NVML_SUCCESS)
        return leave(result);
    for (unsigned i = 0; i < current.gpus; i++) {
        if (!current.gpu[i].visible || index--)
            continue;
        *device = &gpu_handles[i];
        return leave(monotonic_ns() >= current.gpu[i].lost_ns ? NVML_ERROR_GPU_IS_LOST
                                                              : NVML_SUCCESS);
    }
    return leave(NVML_ERROR_INVALID_ARGUMENT);
}

nvmlReturn_t handle_by_uuid(const char *uuid, nvmlDevice_t *device)
{
    nvmlReturn_t result = enter();
    *device = NULL;
    for (unsigned i = 0; result == NVML_SUCCESS && i < current.gpus; i++) {
        struct gpu *g = &current.gpu[i];
        if (!g->visible)
            continue;
        if (!strcmp(uuid, g->uuid))
            *device = &gpu_handles[i];
        for (unsigned m = 0; m < g->instances; m++)
            if (!strcmp(uuid, g->instance[m].uuid))
                *device = &instance_handles[i][m];
        if (*device)
            return leave(monotonic_ns() >= g->lost_ns ? NVML_ERROR_GPU_IS_LOST : NVML_SUCCESS);
    }
    return leave(result != NVML_SUCCESS ? result : NVML_ERROR_NOT_FOUND);
}

/* The GPU's number in the scenario and the instance's number, or -1 for a whole GPU. */
static nvmlReturn_t locate(nvmlDevice_t device, int *gpu, int *instance)
{
    char *first = &instance_handles[0][0], *last = &instance_handles[MAX_GPUS - 1][0];
    if (device >= gpu_handles && device < gpu_handles + MAX_GPUS) {
        *gpu = (int)(device - gpu_handles);
        *instance = -1;
    } else if (device >= first && device < last + MAX_INSTANCES) {
        *gpu = (int)((device - first) / MAX_INSTANCES);
        *instance = (int)((device - first) % MAX_INSTANCES);
    } else {
        return NVML_ERROR_INVALID_ARGUMENT;
    }
    const struct gpu *g = &current.gpu[*gpu];
    int known = *gpu < (int)current.gpus && g->visible && *instance < (int)g->instances;
    return known ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t resolve(nvmlDevice_t device, struct view *v)
{
    int gpu, instance;
    /* The clock is read first: the scenario seen is then never older than the instant. */
    v->now_ns = monotonic_ns();
    nvmlReturn_t result = enter();
    if (result == NVML_SUCCESS)
        result = locate(device, &gpu, &instance);
    if (result != NVML_SUCCESS)
        return leave(result);
    v->gpu = current.gpu[gpu];
    v->mig = instance < 0 ? NULL : &v->gpu.instance[instance];
    v->index = instance < 0 ? 0 : (unsigned)instance;
    for (int i = 0; instance < 0 && i < gpu; i++)
        v->index += current.gpu[i].visible != 0;
    return leave(v->now_ns >= v->gpu.lost_ns ? NVML_ERROR_GPU_IS_LOST : NVML_SUCCESS);
}

nvmlReturn_t resolve_gpu(nvmlDevice_t device, struct view *v)
{
    nvmlReturn_t result = resolve(device, v);
    return result == NVML_SUCCESS && v->mig ? NVML_ERROR_NOT_SUPPORTED : result;
}

nvmlReturn_t resolve_mig(nvmlDevice_t device, struct view *v)
{
    nvmlReturn_t result = resolve(device, v);
    return result == NVML_SUCCESS && !v->mig ? NVML_ERROR_NOT_SUPPORTED : result;
}

nvmlReturn_t handle_of_instance(nvmlDevice_t device, unsigned index, nvmlDevice_t *handle)
{
    struct view v;
    nvmlReturn_t result = resolve_gpu(device, &v);
    if (result != NVML_SUCCESS)
        return result;
    if (v.gpu.mig_mode < 0)
        return NVML_ERROR_NOT_SUPPORTED;
    if (v.gpu.mig_mode == 0 || index >= v.gpu.instances)
        return NVML_ERROR_NOT_FOUND;
    *handle = &instance_handles[device - gpu_handles][index];
    return NVML_SUCCESS;
}

nvmlReturn_t handle_of_parent(nvmlDevice_t device, nvmlDevice_t *handle)
{
    struct view v;
    nvmlReturn_t result = resolve_mig(device, &v);
    if (result == NVML_SUCCESS)
        *handle = &gpu_handles[(device - &instance_handles[0][0]) / MAX_INSTANCES];
    return result == NVML_ERROR_NOT_SUPPORTED ? NVML_ERROR_INVALID_ARGUMENT : result;
}
