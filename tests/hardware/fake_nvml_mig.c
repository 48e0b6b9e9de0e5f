/* The NVML interface of MIG instances, and of memory and processes, which know about them. */
#include "fake_nvml.h"
#include <stdio.h>
#include <string.h>

API nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *now, unsigned *pending)
{
    struct view v;
    nvmlReturn_t result = resolve_gpu(device, &v);
    if (result != NVML_SUCCESS)
        return result;
    if (v.gpu.mig_mode < 0)
        return NVML_ERROR_NOT_SUPPORTED;
    *now = *pending = (unsigned)v.gpu.mig_mode;
    return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned *count)
{
    struct view v;
    nvmlReturn_t result = resolve_gpu(device, &v);
    *count = result == NVML_SUCCESS && v.gpu.mig_mode >= 0 ? v.gpu.mig_slices : 0;
    return result;
}

API nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index,
                                                     nvmlDevice_t *mig)
{
    return handle_of_instance(device, index, mig);
}

API nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t mig, nvmlDevice_t *gpu)
{
    return handle_of_parent(mig, gpu);
}

API nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned *is_mig)
{
    struct view v;
    nvmlReturn_t result = resolve(device, &v);
    *is_mig = result == NVML_SUCCESS && v.mig;
    return result;
}

API nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned *id)
{
    struct view v;
    nvmlReturn_t result = resolve_mig(device, &v);
    if (result == NVML_SUCCESS)
        *id = v.mig->gpu_instance;
    return result;
}

API nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned *id)
{
    struct view v;
    nvmlReturn_t result = resolve_mig(device, &v);
    if (result == NVML_SUCCESS)
        *id = v.mig->compute_instance;
    return result;
}

struct attributes {
    unsigned multiprocessors, copy_engines, decoders, encoders, jpegs, ofas;
    unsigned gpu_slices, compute_slices;
    unsigned long long memory_mb;
};

API nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, struct attributes *attributes)
{
    struct view v;
    nvmlReturn_t result = resolve_mig(device, &v);
    if (result != NVML_SUCCESS)
        return result;
    memset(attributes, 0, sizeof *attributes);
    attributes->multiprocessors = v.mig->multiprocessors;
    attributes->gpu_slices = attributes->compute_slices = v.mig->slices;
    attributes->memory_mb = v.mig->memory_bytes >> 20;
    return NVML_SUCCESS;
}

struct profile { /* version 1; version 2 puts a version before it and a name behind it */
    unsigned id, p2p, slices, instances, multiprocessors;
    unsigned copy_engines, decoders, encoders, jpegs, ofas;
    unsigned long long memory_mb;
};
struct profile_v2 {
    unsigned version, id, p2p, slices, instances, multiprocessors;
    unsigned copy_engines, decoders, encoders, jpegs, ofas;
    unsigned long long memory_mb;
    char name[96];
};

API nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfo(nvmlDevice_t device, unsigned profile,
                                                     struct profile *info)
{
    static const unsigned slices_of[] = {1, 2, 3, 4, 7, 8, 6};
    struct view v;
    nvmlReturn_t result = resolve_gpu(device, &v);
    if (result != NVML_SUCCESS)
        return result;
    const struct gpu *g = &v.gpu;
    if (g->mig_mode < 0 || profile >= sizeof slices_of / sizeof *slices_of ||
        slices_of[profile] > g->mig_slices)
        return NVML_ERROR_NOT_SUPPORTED;
    memset(info, 0, sizeof *info);
    info->id = profile;
    info->slices = slices_of[profile];
    info->instances = g->mig_slices / info->slices;
    info->multiprocessors = g->mig_multiprocessors * info->slices / g->mig_slices;
    info->memory_mb = (g->memory_total_bytes >> 20) * info->slices / g->mig_slices;
    for (unsigned i = 0; i < g->instances; i++)
        if (g->instance[i].slices == info->slices)
            info->multiprocessors = g->instance[i].multiprocessors;
    return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfoV(nvmlDevice_t device, unsigned profile,
                                                      struct profile_v2 *info)
{
    struct profile old;
    if (info->version != (sizeof *info | 2u << 24))
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    nvmlReturn_t result = nvmlDeviceGetGpuInstanceProfileInfo(device, profile, &old);
    if (result != NVML_SUCCESS)
        return result;
    *info = (struct profile_v2){.version = info->version, .id = old.id, .slices = old.slices,
                                .instances = old.instances,
                                .multiprocessors = old.multiprocessors,
                                .memory_mb = old.memory_mb};
    snprintf(info->name, sizeof info->name, "MIG %ug", old.slices);
    return NVML_SUCCESS;
}

static uint64_t total_bytes(const struct view *v)
{
    return v->mig ? v->mig->memory_bytes : v->gpu.memory_total_bytes;
}

static int belongs(const struct view *v, const struct process *p)
{
    return !v->mig || (p->gpu_instance == v->mig->gpu_instance &&
                       p->compute_instance == v->mig->compute_instance);
}

static uint64_t used_bytes(const struct view *v)
{
    uint64_t sum = 0;
    if (!v->mig)
        return v->gpu.memory_used_bytes;
    for (unsigned i = 0; i < v->gpu.processes; i++)
        if (belongs(v, &v->gpu.process[i]))
            sum += v->gpu.process[i].used_bytes;
    return sum;
}

struct memory { unsigned long long total, free, used; };
struct memory_v2 { unsigned version; unsigned long long total, reserved, free, used; };

API nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, struct memory *memory)
{
    struct view v;
    nvmlReturn_t result = resolve(device, &v);
    if (result != NVML_SUCCESS)
        return result;
    uint64_t total = total_bytes(&v), used = used_bytes(&v);
    *memory = (struct memory){total, total - used, used};
    return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, struct memory_v2 *memory)
{
    struct memory old;
    if (memory->version != (sizeof *memory | 2u << 24))
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    nvmlReturn_t result = nvmlDeviceGetMemoryInfo(device, &old);
    if (result == NVML_SUCCESS)
        *memory = (struct memory_v2){memory->version, old.total, 0, old.free, old.used};
    return result;
}

struct process_info { /* versions 2 and 3 */
    unsigned pid;
    unsigned long long used_bytes;
    unsigned gpu_instance, compute_instance;
};

API nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                                         struct process_info *info)
{
    struct view v;
    unsigned room = *count, found = 0;
    nvmlReturn_t result = resolve(device, &v);
    if (result != NVML_SUCCESS)
        return result;
    for (unsigned i = 0; i < v.gpu.processes; i++) {
        const struct process *p = &v.gpu.process[i];
        if (!belongs(&v, p))
            continue;
        if (info && found < room)
            info[found] = (struct process_info){p->pid, p->used_bytes, p->gpu_instance,
                                                p->compute_instance};
        found++;
    }
    *count = found;
    return found > room || (found && !info) ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned *count,
                                                         struct process_info *info)
{
    return nvmlDeviceGetComputeRunningProcesses_v3(device, count, info);
}

API nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                                          struct process_info *info)
{
    struct view v;
    (void)info;
    *count = 0;
    return resolve(device, &v);
}
