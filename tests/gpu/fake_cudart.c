/* A small libcudart.so.13: events are numbered in the order of their recording, 2.5 ms apart. */
#include <stdlib.h>

static int recorded;
typedef struct { int place; } event;

int cudaStreamCreateWithFlags(void **stream, unsigned int flags) { *stream = malloc(1); return flags == 1 ? 0 : 1; }
int cudaEventCreate(event **made) { *made = calloc(1, sizeof(event)); return 0; }
int cudaEventRecord(event *mark, void *stream) { mark->place = ++recorded; return stream ? 0 : 400; }
int cudaEventSynchronize(event *mark) { return mark->place ? 0 : 400; }
int cudaEventElapsedTime(float *ms, event *from, event *to) { *ms = 2.5f * (to->place - from->place); return 0; }
const char *cudaGetErrorString(int code) { return "invalid resource handle"; }
