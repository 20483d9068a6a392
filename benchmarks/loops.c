/*
 * The tutorial's loop; what a mean is measured by: plain SIMD reads of the same bytes (the fastest is the
 * read limit) and a plain SIMD sum; and a clock in C, so that no call from Python counts.
 * Compiled twice, at -O3 and at -O3 -march=native -ffast-math.
 */
#include <stddef.h>
#include <stdint.h>
#include <time.h>

double tutorial_f64(const double *a, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i];
    return sum / (double)n;
}

float tutorial_f32(const float *a, size_t n)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i];
    return sum / (float)n;
}

/* The signature of mean_f64. */
typedef int32_t reduction(const double *data, size_t len, ptrdiff_t stride, double *out);

/*
 * Load every byte once and combine all, in four accumulators: a compiler uses but one, and waits for the
 * latency of each operation.
 */
#define REDUCTION(name, element, combine, bytes)                                     \
    int32_t name(const double *data, size_t len, ptrdiff_t stride, double *out)      \
    {                                                                                \
        enum { LANES = bytes / 8 };                                                  \
        typedef element word __attribute__((may_alias));                             \
        typedef word vector __attribute__((vector_size(bytes), aligned(8)));         \
        (void)stride;                                                                \
        const word *const a = (const word *)data;                                    \
        vector v[4] = {{0}};                                                         \
        size_t i = 0;                                                                \
        for (; i + 4 * LANES <= len; i += 4 * LANES)                                 \
            for (size_t k = 0; k < 4; k++)                                           \
                v[k] = v[k] combine *(const vector *)(a + i + LANES * k);            \
        for (; i + LANES <= len; i += LANES)                                         \
            v[0] = v[0] combine *(const vector *)(a + i);                            \
        v[0] = (v[0] combine v[1]) combine (v[2] combine v[3]);                      \
        word result = 0;                                                             \
        for (size_t k = 0; k < LANES; k++)                                           \
            result = result combine v[0][k];                                         \
        for (; i < len; i++)                                                         \
            result = result combine a[i];                                            \
        *out = (double)result;                                                       \
        return 0;                                                                    \
    }

/* Which is faster depends on where the array lies: measured on Zen 4, 64 in cache, 32 in DRAM. */
REDUCTION(read_32, uint64_t, ^, 32)
REDUCTION(read_64, uint64_t, ^, 64)
REDUCTION(plain_sum, double, +, 64)

/* From the end back: what was read, or made, before is as a rule nearest there. */
int32_t read_back(const double *data, size_t len, ptrdiff_t stride, double *out)
{
    enum { LANES = 8 };
    typedef uint64_t word __attribute__((may_alias));
    typedef word vector __attribute__((vector_size(8 * LANES), aligned(8)));
    (void)stride;
    const word *const a = (const word *)data;
    vector v[4] = {{0}};
    size_t i = len;
    for (; i >= 4 * LANES; i -= 4 * LANES)
        for (size_t k = 0; k < 4; k++)
            v[k] ^= *(const vector *)(a + i - LANES * (k + 1));
    v[0] = (v[0] ^ v[1]) ^ (v[2] ^ v[3]);
    word result = 0;
    for (size_t k = 0; k < LANES; k++)
        result ^= v[0][k];
    for (; i > 0; i--)
        result ^= a[i - 1];
    *out = (double)result;
    return 0;
}

/*
 * A cache line of each of eight parts in turn: on Zen 3 from DRAM in two thirds of the time. (An odd number of
 * lines apart, so that they do not meet in one bank of the memory.)
 */
int32_t read_streams(const double *data, size_t len, ptrdiff_t stride, double *out)
{
    enum { STREAMS = 8, LINE = 8, LANES = LINE / 2 };
    typedef uint64_t word __attribute__((may_alias));
    typedef word vector __attribute__((vector_size(8 * LANES), aligned(8)));
    (void)stride;
    const word *const a = (const word *)data;
    const size_t lines = len / (STREAMS * LINE);
    const size_t apart = lines ? ((lines - 1) | 1) * LINE : 0;
    vector v[2] = {{0}};
    for (size_t i = 0; i < apart; i += LINE)
        for (size_t k = 0; k < STREAMS; k++)
            for (size_t half = 0; half < 2; half++)
                v[half] ^= *(const vector *)(a + k * apart + i + half * LANES);
    v[0] ^= v[1];
    word result = 0;
    for (size_t k = 0; k < LANES; k++)
        result ^= v[0][k];
    for (size_t i = STREAMS * apart; i < len; i++)
        result ^= a[i];
    *out = (double)result;
    return 0;
}

/* Python's time.process_time. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds that `repeats` calls take, on `arrays` adjacent arrays of `len` elements in turn. */
double seconds(reduction *call, const double *data, size_t len, size_t arrays, size_t repeats)
{
    volatile double sink;
    double out = 0;
    const double start = now();
    for (size_t i = 0, k = 0; i < repeats; i++, k = k + 1 < arrays ? k + 1 : 0) {
        call(data + k * len, len, sizeof *data, &out);
        sink = out;
    }
    (void)sink;
    return now() - start;
}
