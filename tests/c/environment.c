/*
 * The caller's floating-point environment: in every rounding mode, with subnormals flushed to zero
 * or not, the results have the same bits, and the environment is left as found. Says nothing where
 * all holds.
 */
#include "mean.h"

#include <fenv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

enum { LENGTHS = 8, LONGEST = 5000 };
static const size_t lengths[LENGTHS] = {1, 2, 7, 31, 32, 100, 1000, LONGEST};

static double doubles[LONGEST];
static float floats[LONGEST];

struct results {
    double doubles[LENGTHS];
    float floats[LENGTHS];
};

/* Integers only: the data must not depend on the environment. Means of subnormals, and of numbers
 * around 1 that cancel. */
static void fill(uint64_t *state, int subnormal)
{
    size_t i;
    for (i = 0; i < LONGEST; i++) {
        uint64_t bits;
        uint32_t bits32;
        *state = *state * 6364136223846793005U + 1442695040888963407U;
        bits = *state >> 12 | (*state & 1) << 63 | (uint64_t)(subnormal ? 0 : 1020) << 52;
        bits32 = (uint32_t)(*state >> 41) | (uint32_t)(*state & 1) << 31 | (uint32_t)(subnormal ? 0 : 124) << 23;
        memcpy(&doubles[i], &bits, sizeof bits);
        memcpy(&floats[i], &bits32, sizeof bits32);
    }
}

static void compute(struct results *results)
{
    size_t i;
    for (i = 0; i < LENGTHS; i++) {
        if (mean_f64(doubles, lengths[i], sizeof(double), &results->doubles[i]) != MEAN_OK ||
            mean_f32(floats, lengths[i], sizeof(float), &results->floats[i]) != MEAN_OK)
            exit(2);
    }
}

int main(void)
{
    static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    uint64_t state = 1;
    int failures = 0;
    int round;
    for (round = 0; round < 20; round++) {
        struct results expected, found;
        size_t mode;
        unsigned flush;
        fill(&state, round % 2);
        memset(&expected, 0, sizeof expected);
        compute(&expected);
        for (mode = 0; mode < sizeof modes / sizeof *modes; mode++) {
            for (flush = 0; flush < 4; flush++) {
                int same_mode;
                memset(&found, 0, sizeof found);
                fesetround(modes[mode]);
#if defined(__x86_64__)
                /* Denormals-are-zero is bit 6, flush-to-zero bit 15. */
                const unsigned control = (_mm_getcsr() & ~0x803FU) | (flush & 1) << 6 | (flush & 2) << 14;
                _mm_setcsr(control);
#endif
                compute(&found);
#if defined(__x86_64__)
                same_mode = (_mm_getcsr() & ~0x3FU) == control;
                _mm_setcsr(control & ~0x8040U);
#else
                same_mode = 1;
#endif
                same_mode = same_mode && fegetround() == modes[mode];
                fesetround(FE_TONEAREST);
                if (!same_mode || memcmp(&expected, &found, sizeof expected) != 0) {
                    fprintf(stderr, "round %d, mode %u, flush %u\n", round, (unsigned)mode, flush);
                    failures++;
                }
            }
        }
    }
    return failures != 0;
}
