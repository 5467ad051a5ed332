/* A small libnvidia-ml.so.1: one GPU whose state lies in the file $FAKE_NVML_STATE as "name value"
   lines. Only what nasprof reads through pynvml is here; every call that changes something is
   written back, so that a test sees it from outside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUCCESS 0
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3
#define NO_PERMISSION 4
#define INSUFFICIENT_SIZE 7

typedef void *device;
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int pid; unsigned long long used; unsigned int gi, ci; } process_t;
static int card;

static long long value(const char *name, long long otherwise) {
    FILE *file = fopen(getenv("FAKE_NVML_STATE"), "r");
    char key[64];
    long long found;
    while (file && fscanf(file, "%63s %lld", key, &found) == 2)
        if (!strcmp(key, name)) otherwise = found;
    if (file) fclose(file);
    return otherwise;
}

static void note(const char *name, long long number) {
    FILE *file = fopen(getenv("FAKE_NVML_STATE"), "a");
    fprintf(file, "%s %lld\n", name, number);
    fclose(file);
}

static int read_into(unsigned int *target, const char *name) {
    long long found = value(name, -1);
    if (found < 0) return NOT_SUPPORTED;
    *target = (unsigned int)found;
    return SUCCESS;
}

int nvmlInitWithFlags(unsigned int flags) { return SUCCESS; }
int nvmlInit_v2(void) { return SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { return code == NO_PERMISSION ? "Insufficient Permissions" : "Not Supported"; }
int nvmlSystemGetDriverVersion(char *text, unsigned int size) { strncpy(text, "999.1", size); return SUCCESS; }
int nvmlSystemGetCudaDriverVersion(int *number) { *number = 13020; return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = (unsigned int)value("count", 1); return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, device *found) { *found = &card; return SUCCESS; }
int nvmlDeviceGetName(device d, char *text, unsigned int size) { strncpy(text, "Fake GPU", size); return SUCCESS; }
int nvmlDeviceGetUUID(device d, char *text, unsigned int size) { strncpy(text, "GPU-fa4e", size); return SUCCESS; }
int nvmlDeviceGetMemoryInfo(device d, memory_t *m) { m->total = 8ULL << 30; m->used = value("used", 1 << 20); m->free = m->total - m->used; return SUCCESS; }
int nvmlDeviceGetEnforcedPowerLimit(device d, unsigned int *mw) { return read_into(mw, "power_limit_mw"); }
int nvmlDeviceGetPowerUsage(device d, unsigned int *mw) { return read_into(mw, "power_mw"); }
int nvmlDeviceGetMaxClockInfo(device d, int kind, unsigned int *mhz) { return read_into(mhz, "max_sm_mhz"); }
int nvmlDeviceGetClockInfo(device d, int kind, unsigned int *mhz) { return read_into(mhz, kind == 1 ? "sm_mhz" : "memory_mhz"); }
int nvmlDeviceGetTemperature(device d, int sensor, unsigned int *c) { return read_into(c, "temperature"); }
int nvmlDeviceGetEccMode(device d, int *now, int *later) { unsigned int v; int r = read_into(&v, "ecc"); *now = *later = (int)v; return r; }
int nvmlDeviceGetMigMode(device d, unsigned int *now, unsigned int *later) { int r = read_into(now, "mig"); *later = *now; return r; }
int nvmlDeviceGetPersistenceMode(device d, int *mode) { unsigned int v; int r = read_into(&v, "persistence"); *mode = (int)v; return r; }
int nvmlDeviceGetTotalEnergyConsumption(device d, unsigned long long *mj) { unsigned int v; int r = read_into(&v, "energy_mj"); *mj = v; return r; }

int nvmlDeviceGetCurrentClocksEventReasons(device d, unsigned long long *mask) {
    unsigned int v;
    int r = read_into(&v, "held_back");
    *mask = v;
    return r;
}

int nvmlDeviceGetComputeRunningProcesses_v3(device d, unsigned int *count, process_t *list) {
    unsigned int wanted = (unsigned int)value("processes", 0), room = *count;
    *count = wanted;
    if (wanted > room) return INSUFFICIENT_SIZE;
    for (unsigned int i = 0; i < wanted; i++) {
        list[i].pid = i ? 1 : (unsigned int)value("pid", 1);
        list[i].used = 123ULL << 20;
    }
    return SUCCESS;
}

int nvmlDeviceSetGpuLockedClocks(device d, unsigned int low, unsigned int high) {
    if (value("forbidden", 0)) return NO_PERMISSION;
    if (low != high || high > value("max_sm_mhz", 0)) return INVALID_ARGUMENT;
    note("locked", high);
    return SUCCESS;
}

int nvmlDeviceResetGpuLockedClocks(device d) { note("locked", 0); return SUCCESS; }
