/*
 * Tries memory.c against copies byte by byte: every length, every distance between source and target, and alignments.
 * Nothing outside the target may change. Built with memcpy and memmove of memory.c under these two names.
 */
#include <stddef.h>
#include <stdio.h>

void *copied(void *to, const void *from, size_t size);
void *moved(void *to, const void *from, size_t size);

enum { LONGEST = 300, ROOM = 3 * LONGEST };

static unsigned char before[ROOM], after[ROOM], wanted[ROOM];

/* Copies within one room from one place to another, and compares all of it. */
static int holds(const char *name, void *(*copy)(void *, const void *, size_t), size_t to, size_t from, size_t size) {
    for (size_t at = 0; at < ROOM; at++) after[at] = wanted[at] = before[at];
    for (size_t at = 0; at < size; at++) wanted[to + at] = before[from + at];
    int right = copy(after + to, after + from, size) == after + to;
    for (size_t at = 0; at < ROOM; at++) right &= after[at] == wanted[at];
    if (!right) printf("%s of %zu bytes from %zu to %zu is wrong\n", name, size, from, to);
    return right;
}

int main(void) {
    size_t tried = 0;
    for (size_t at = 0; at < ROOM; at++) before[at] = (unsigned char)(at * 7 + at / 251 + 1);
    for (size_t size = 0; size <= LONGEST; size++) {
        for (size_t from = LONGEST; from < LONGEST + 16; from += 5) {
            for (size_t to = from - size; to <= from + size; to++, tried++) {
                if (!holds("memmove", moved, to, from, size)) return 1;
            }
            size_t apart[] = {from - size, from + size};
            for (int i = 0; i < 2; i++, tried++) {
                if (!holds("memcpy", copied, apart[i], from, size)) return 1;
            }
        }
    }
    printf("%zu copies\n", tried);
    return 0;
}
