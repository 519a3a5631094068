/*
 * memcpy and memmove for the static program on x86-64. Those of musl are `rep movsq`, whose start alone takes longer than
 * the twenty copies of a few dozen bytes that an HTTP answer is put together from. Here whatever is copied at once is read
 * whole before anything is written, so one function serves both names; only longer copies need to know a direction.
 *
 * Plain C for the baseline of x86-64 (SSE2), no assembly, no choice by processor. `memory_test.c` tries every length and
 * overlap.
 */
#include <stddef.h>
#include <stdint.h>

/* Unaligned values of whatever type. */
typedef uint32_t word __attribute__((aligned(1), may_alias));
typedef uint64_t pair __attribute__((aligned(1), may_alias));
typedef uint64_t block __attribute__((vector_size(16), aligned(1), may_alias));

typedef struct {
    block a, b, c, d;
} blocks;

static inline blocks read_blocks(const char *from) {
    const block *at = (const block *)from;
    return (blocks){at[0], at[1], at[2], at[3]};
}

static inline void write_blocks(char *to, blocks read) {
    block *at = (block *)to;
    at[0] = read.a;
    at[1] = read.b;
    at[2] = read.c;
    at[3] = read.d;
}

/* 0 to 16 bytes. */
static inline void few(char *to, const char *from, size_t size) {
    if (size >= 8) {
        pair first = *(const pair *)from, last = *(const pair *)(from + size - 8);
        *(pair *)to = first;
        *(pair *)(to + size - 8) = last;
    } else if (size >= 4) {
        word first = *(const word *)from, last = *(const word *)(from + size - 4);
        *(word *)to = first;
        *(word *)(to + size - 4) = last;
    } else if (size > 0) {
        char first = from[0], middle = from[size / 2], last = from[size - 1];
        to[0] = first;
        to[size / 2] = middle;
        to[size - 1] = last;
    }
}

/* More than 64 bytes. The two ends are read first; what is written after each step has been read before. */
static inline void many(char *to, const char *from, size_t size) {
    blocks first = read_blocks(from), last = read_blocks(from + size - 64);
    if ((uintptr_t)to - (uintptr_t)from >= size) {
        /* The target begins before the source, or after its end: upwards. */
        write_blocks(to, first);
        for (size_t at = 64; at + 64 < size; at += 64) write_blocks(to + at, read_blocks(from + at));
        write_blocks(to + size - 64, last);
    } else {
        write_blocks(to + size - 64, last);
        for (size_t left = size - 64; left > 64; left -= 64) write_blocks(to + left - 64, read_blocks(from + left - 64));
        write_blocks(to, first);
    }
}

void *memmove(void *destination, const void *source, size_t size) {
    char *to = destination;
    const char *from = source;
    if (size <= 16) {
        few(to, from, size);
    } else if (size <= 32) {
        block first = *(const block *)from, last = *(const block *)(from + size - 16);
        *(block *)to = first;
        *(block *)(to + size - 16) = last;
    } else if (size <= 64) {
        const block *end = (const block *)(from + size);
        block a = ((const block *)from)[0], b = ((const block *)from)[1], c = end[-2], d = end[-1];
        ((block *)to)[0] = a;
        ((block *)to)[1] = b;
        ((block *)(to + size))[-2] = c;
        ((block *)(to + size))[-1] = d;
    } else {
        many(to, from, size);
    }
    return destination;
}

void *memcpy(void *restrict destination, const void *restrict source, size_t size) {
    return memmove(destination, source, size);
}
