/* A fake libnvidia-ml.so.1 whose power is an exactly known function of time.
 *
 * fake_nvml_parse.c    reads the scenario file;
 * fake_nvml_scenario.c reads it again when it changes, and decides which GPUs a process sees;
 * fake_nvml_meter.c    computes power and energy in closed form from CLOCK_MONOTONIC;
 * fake_nvml.c          is the NVML interface of a GPU;
 * fake_nvml_mig.c      is the NVML interface of MIG instances.
 *
 * Names, numbers and layouts follow the public NVML API reference. */
#ifndef FAKE_NVML_H
#define FAKE_NVML_H
#include <stdint.h>

#define API __attribute__((visibility("default")))

enum { MAX_GPUS = 8, MAX_INSTANCES = 8, MAX_SEGMENTS = 256, MAX_PROCESSES = 32 };
#define NEVER_NS INT64_MAX

typedef int nvmlReturn_t;
enum {
    NVML_SUCCESS = 0,
    NVML_ERROR_UNINITIALIZED = 1,
    NVML_ERROR_INVALID_ARGUMENT = 2,
    NVML_ERROR_NOT_SUPPORTED = 3,
    NVML_ERROR_NOT_FOUND = 6,
    NVML_ERROR_INSUFFICIENT_SIZE = 7,
    NVML_ERROR_DRIVER_NOT_LOADED = 9,
    NVML_ERROR_GPU_IS_LOST = 15,
    NVML_ERROR_ARGUMENT_VERSION_MISMATCH = 25,
    NVML_ERROR_UNKNOWN = 999,
};

/* Every handle is the address of a byte, so it stays valid when the scenario is read again. */
typedef char *nvmlDevice_t;

enum power_shape { CONSTANT, SQUARE, RAMP };

/* From since_ns on, until the next segment. Arguments, watts and seconds:
 * constant WATTS | square HIGH LOW PERIOD DUTY | ramp START END DURATION (then holds END). */
struct segment {
    int64_t since_ns;
    enum power_shape shape;
    double arg[4];
};

struct instance {
    char uuid[96];
    char dev[256];
    unsigned gpu_instance, compute_instance, slices, multiprocessors;
    uint64_t memory_bytes;
};

struct process {
    unsigned pid;
    uint64_t used_bytes;
    unsigned gpu_instance, compute_instance; /* ~0u outside MIG */
};

struct gpu {
    char uuid[96], name[96], dev[256];
    unsigned minor, architecture, sm_clock_mhz, temperature_celsius, power_limit_mw;
    unsigned utilisation_gpu, utilisation_memory, power_supported, energy_supported;
    int mig_mode; /* -1: this model has no MIG */
    unsigned mig_slices, mig_multiprocessors;
    uint64_t memory_total_bytes, memory_used_bytes, clock_event_reasons;
    int64_t reset_ns, lost_ns, stuck_ns, refresh_ns, power_window_ns;
    double base_mj;
    unsigned segments, instances, processes;
    struct segment segment[MAX_SEGMENTS];
    struct instance instance[MAX_INSTANCES];
    struct process process[MAX_PROCESSES];
    int visible;
};

struct scenario {
    char driver[80];
    int init_error;
    unsigned gpus;
    struct gpu gpu[MAX_GPUS];
};

/* What a handle means at one instant: a copy, so that no lock outlives resolve(). */
struct view {
    struct gpu gpu;
    const struct instance *mig; /* points into gpu; NULL for a whole GPU */
    unsigned index;             /* among the visible GPUs, or of the instance in its GPU */
    int64_t now_ns;
};

/* fake_nvml_scenario.c */
nvmlReturn_t scenario_open(void);
nvmlReturn_t scenario_close(void);
nvmlReturn_t scenario_driver(char text[80]);
nvmlReturn_t visible_count(unsigned *count);
nvmlReturn_t handle_by_index(unsigned index, nvmlDevice_t *device);
nvmlReturn_t handle_by_uuid(const char *uuid, nvmlDevice_t *device);
nvmlReturn_t handle_of_instance(nvmlDevice_t gpu, unsigned index, nvmlDevice_t *device);
nvmlReturn_t handle_of_parent(nvmlDevice_t device, nvmlDevice_t *gpu);
nvmlReturn_t resolve(nvmlDevice_t device, struct view *view);
nvmlReturn_t resolve_gpu(nvmlDevice_t device, struct view *view); /* MIG: NOT_SUPPORTED */
nvmlReturn_t resolve_mig(nvmlDevice_t device, struct view *view); /* GPU: NOT_SUPPORTED */

/* fake_nvml_parse.c: 0, or -1 with a line on stderr */
int scenario_parse(const char *path, struct scenario *scenario);

/* fake_nvml_meter.c */
double power_watts(const struct gpu *gpu, int64_t now_ns);
double average_watts(const struct gpu *gpu, int64_t now_ns, int64_t window_ns);
uint64_t counter_mj(const struct gpu *gpu, int64_t now_ns);
unsigned reported_mw(const struct gpu *gpu, int64_t now_ns);
#endif
