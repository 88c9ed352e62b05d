/* What a process that runs under callgrind tells it. */
#include <valgrind/callgrind.h>

/* Count from now on, from zero. */
void begin(void) {
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

/* Write the count to a file, under a name. */
void end(const char *name) {
    CALLGRIND_DUMP_STATS_AT(name);
}
