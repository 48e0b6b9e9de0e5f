/* The NVML interface of a GPU. */
#include "fake_nvml.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Fills a view or returns; MIG handles get NOT_SUPPORTED from WITH_GPU, as from the driver. */
#define WITH(resolver, ok) \
    struct view v; \
    nvmlReturn_t result_ = (ok) ? resolver(device, &v) : NVML_ERROR_INVALID_ARGUMENT; \
    if (result_ != NVML_SUCCESS) \
        return result_
#define WITH_ANY(ok) WITH(resolve, ok)
#define WITH_GPU(ok) WITH(resolve_gpu, ok)

static nvmlReturn_t copy_text(char *to, unsigned size, const char *text)
{
    if ((unsigned)snprintf(to, size, "%s", text) >= size)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    return NVML_SUCCESS;
}

API nvmlReturn_t nvmlInit_v2(void) { return scenario_open(); }
API nvmlReturn_t nvmlInit(void) { return scenario_open(); }
API nvmlReturn_t nvmlInitWithFlags(unsigned flags) { (void)flags; return scenario_open(); }
API nvmlReturn_t nvmlShutdown(void) { return scenario_close(); }

API const char *nvmlErrorString(nvmlReturn_t result)
{
    static const char *const text[] = {
        "Success", "Uninitialized", "Invalid Argument", "Not Supported",
        "Insufficient Permissions", "Already Initialized", "Not Found", "Insufficient Size",
        "Insufficient External Power", "Driver Not Loaded", "Timeout", "Interrupt Request Issue",
        "NVML Shared Library Not Found", "Function Not Found", "Corrupted infoROM", "GPU is lost",
        "GPU requires reset", "The operating system has blocked the request.",
        "RM has detected an NVML/RM version mismatch.", "In use by another client",
        "Insufficient Memory", "No data", "vGPU ECC not supported", "Insufficient Resources",
        "Requested frequency not supported", "Argument version mismatch"};
    unsigned known = sizeof text / sizeof *text;
    return result >= 0 && (unsigned)result < known ? text[result] : "Unknown Error";
}

API nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned length)
{
    char driver[80];
    nvmlReturn_t result = scenario_driver(driver);
    return result != NVML_SUCCESS ? result : copy_text(version, length, driver);
}

API nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count) { return visible_count(count); }

API nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device)
{
    return handle_by_index(index, device);
}

API nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    return uuid ? handle_by_uuid(uuid, device) : NVML_ERROR_INVALID_ARGUMENT;
}

API nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned length)
{
    WITH_ANY(uuid);
    return copy_text(uuid, length, v.mig ? v.mig->uuid : v.gpu.uuid);
}

API nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned length)
{
    char text[160];
    WITH_ANY(name);
    if (!v.mig)
        return copy_text(name, length, v.gpu.name);
    snprintf(text, sizeof text, "%s MIG %ug.%llugb", v.gpu.name, v.mig->slices,
             (unsigned long long)(v.mig->memory_bytes >> 30));
    return copy_text(name, length, text);
}

API nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned *index)
{
    WITH_ANY(index);
    *index = v.index;
    return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned *minor)
{
    WITH_GPU(minor);
    *minor = v.gpu.minor;
    return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t device, unsigned *architecture)
{
    WITH_ANY(architecture);
    *architecture = v.gpu.architecture;
    return NVML_SUCCESS;
}

struct pci_info {
    char bus_id_legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};

API nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, struct pci_info *pci)
{
    WITH_GPU(pci);
    memset(pci, 0, sizeof *pci);
    pci->bus = 0x10 + v.gpu.minor;
    snprintf(pci->bus_id_legacy, sizeof pci->bus_id_legacy, "0000:%02X:00.0", pci->bus & 0xff);
    snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:%02X:00.0", pci->bus & 0xff);
    return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *milliwatts)
{
    WITH_GPU(milliwatts);
    *milliwatts = reported_mw(&v.gpu, v.now_ns);
    return v.gpu.power_supported ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

API nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device,
                                                     unsigned long long *millijoules)
{
    WITH_GPU(millijoules);
    *millijoules = counter_mj(&v.gpu, v.now_ns);
    return v.gpu.energy_supported ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

struct utilization { unsigned gpu, memory; };

API nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, struct utilization *rates)
{
    WITH_GPU(rates);
    if (v.gpu.mig_mode > 0) /* not offered for a GPU in MIG mode either */
        return NVML_ERROR_NOT_SUPPORTED;
    *rates = (struct utilization){v.gpu.utilisation_gpu, v.gpu.utilisation_memory};
    return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, unsigned type, unsigned *mhz)
{
    WITH_ANY(mhz && type < 4);
    *mhz = v.gpu.sm_clock_mhz; /* one clock for all domains */
    return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned sensor, unsigned *celsius)
{
    WITH_GPU(celsius && sensor == 0);
    *celsius = v.gpu.temperature_celsius;
    return NVML_SUCCESS;
}

struct temperature_v1 { unsigned version, sensor; int celsius; };

API nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, struct temperature_v1 *reading)
{
    WITH_GPU(reading && reading->sensor == 0);
    if (reading->version != (sizeof *reading | 1u << 24))
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    reading->celsius = (int)v.gpu.temperature_celsius;
    return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device,
                                                        unsigned long long *reasons)
{
    WITH_GPU(reasons);
    *reasons = v.gpu.clock_event_reasons;
    return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device,
                                                           unsigned long long *reasons)
{
    return nvmlDeviceGetCurrentClocksEventReasons(device, reasons);
}

API nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned *milliwatts)
{
    WITH_GPU(milliwatts);
    *milliwatts = v.gpu.power_limit_mw;
    return NVML_SUCCESS;
}

API nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t device, unsigned *milliwatts)
{
    return nvmlDeviceGetEnforcedPowerLimit(device, milliwatts);
}

API nvmlReturn_t nvmlDeviceGetPersistenceMode(nvmlDevice_t device, unsigned *mode)
{
    WITH_ANY(mode);
    *mode = 1;
    return NVML_SUCCESS;
}

struct field_value {
    uint32_t field, scope;
    int64_t timestamp_us, latency_us;
    unsigned type;
    nvmlReturn_t result;
    union { double number; unsigned u32; unsigned long long u64; } value;
};
enum { TYPE_U32 = 1, TYPE_U64 = 3 };

static void read_field(const struct view *v, struct field_value *f)
{
    const struct gpu *g = &v->gpu;
    int supported = v->mig ? 0 : (int)g->power_supported;
    f->type = TYPE_U32;
    switch (f->field) {
    case 83: /* total energy */
        f->type = TYPE_U64;
        supported = !v->mig && g->energy_supported;
        f->value.u64 = counter_mj(g, v->now_ns);
        break;
    case 185: /* power averaged over 1 s */
        f->value.u32 = (unsigned)(average_watts(g, v->now_ns, 1000000000) * 1e3 + 0.5);
        break;
    case 186: /* instantaneous power */
        f->value.u32 = (unsigned)(power_watts(g, v->now_ns) * 1e3 + 0.5);
        break;
    case 189: case 190: case 192: /* default, current, requested limit */
        f->value.u32 = g->power_limit_mw;
        break;
    default: supported = 0;
    }
    f->result = supported ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

API nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, struct field_value *f)
{
    struct timespec now;
    WITH_ANY(f && count > 0);
    clock_gettime(CLOCK_REALTIME, &now);
    for (int i = 0; i < count; i++) {
        read_field(&v, &f[i]);
        f[i].timestamp_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
        f[i].latency_us = 0;
    }
    return NVML_SUCCESS;
}
