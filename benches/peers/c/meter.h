/* The protocol of a peer (see src/lib.rs) for the peers in C: any number of threads, CPU time of
 * the whole process. */
#ifndef METER_H
#define METER_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP 20
#define ITEM "b0000000-0000-4000-8000-000000000001"

typedef struct {
    const char *base, *ca;
    /* items:NUMBER, purchase, or what only one peer has. */
    const char *what;
    /* Items in the list, or -1: something else. */
    long items;
    long count;
    int threads;
    /* The time between two requests, as at a till. */
    unsigned pause_us;
} order;

/* One request. `own` belongs to the thread. `number` differs from request to request. */
typedef void request_fn(const order *order, void *own, long number);

typedef struct {
    const order *order;
    request_fn *one;
    void *own;
    double *took;
    long from;
    pthread_barrier_t *gate;
} part;

static double clock_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why ? why : "");
    exit(1);
}

static long items_of(const char *what) {
    return strncmp(what, "items:", 6) == 0 ? atol(what + 6) : -1;
}

static order read_order(int argc, char **argv) {
    order it;
    const char *threads = getenv("EPS_BENCH_THREADS"), *pause = getenv("EPS_BENCH_PAUSE_US");
    if (argc != 5) fail("PEER BASE CA WHAT COUNT", NULL);
    it.base = argv[1];
    it.ca = argv[2];
    it.what = argv[3];
    it.items = items_of(it.what);
    it.count = atol(argv[4]);
    it.threads = threads ? atoi(threads) : 1;
    it.pause_us = pause ? (unsigned)atoi(pause) : 0;
    return it;
}

static void fresh_id(char id[37], long number) {
    static int pid; if (!pid) pid = getpid();
    snprintf(id, 37, "%08x-%04x-4000-8000-%012lx", (unsigned)pid, (unsigned)number & 0xffffu, number);
}

static void *work(void *of) {
    part *my = of;
    for (long i = 0; i < WARM_UP; i++) my->one(my->order, my->own, my->from + i);
    pthread_barrier_wait(my->gate);
    pthread_barrier_wait(my->gate);
    for (long i = 0; i < my->order->count; i++) {
        if (my->order->pause_us) usleep(my->order->pause_us);
        double began = clock_us(CLOCK_MONOTONIC);
        my->one(my->order, my->own, my->from + WARM_UP + i);
        my->took[i] = clock_us(CLOCK_MONOTONIC) - began;
    }
    return NULL;
}

static int by_size(const void *a, const void *b) {
    double one = *(const double *)a, other = *(const double *)b;
    return (one > other) - (one < other);
}

/* Makes the requests. `begin` gives each thread its own state. `own` is the state of the first
 * thread. */
static void measure(const order *it, void *own, void *(*begin)(const order *), request_fn *one) {
    double began = clock_us(CLOCK_MONOTONIC), cpu;
    double *took = malloc(sizeof *took * it->threads * it->count);
    pthread_t *threads = malloc(sizeof *threads * it->threads);
    part *parts = malloc(sizeof *parts * it->threads);
    pthread_barrier_t gate;
    char line[16];
    one(it, own, 0);
    printf("first %.0f\n", clock_us(CLOCK_MONOTONIC) - began);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) exit(0);
    pthread_barrier_init(&gate, NULL, it->threads + 1);
    for (int t = 0; t < it->threads; t++) {
        part mine = {it, one, t == 0 ? own : begin(it), took + t * it->count, 1 + t * 1000000L, &gate};
        parts[t] = mine;
        pthread_create(&threads[t], NULL, work, &parts[t]);
    }
    pthread_barrier_wait(&gate);
    cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    pthread_barrier_wait(&gate);
    for (int t = 0; t < it->threads; t++) pthread_join(threads[t], NULL);
    cpu = (clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (it->threads * it->count);
    long all = it->threads * it->count;
    qsort(took, all, sizeof *took, by_size);
    printf("p50 %.1f cpu %.1f p99 %.1f p999 %.1f\n", took[all / 2], cpu, took[all * 99 / 100], took[all * 999 / 1000]);
}

#endif
