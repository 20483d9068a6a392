/*
 * A C caller of everything in mean.h. Compiled as C99 to C23 and as C++11 to C++20, warnings being
 * errors, and linked with the shared and with the static library. Says nothing where all holds.
 */
#include "mean.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;

static void expect(int holds, const char *what, int line)
{
    if (!holds) {
        fprintf(stderr, "client.c:%d: %s\n", line, what);
        failures++;
    }
}
#define EXPECT(condition) expect((condition), #condition, __LINE__)

static const size_t over = (size_t)PTRDIFF_MAX / sizeof(double) + 1;

/* The value that an error must leave in *out. */
static const double untouched = -123.5;

static void check_f64(const double *data, size_t len, ptrdiff_t stride, mean_status expected, int line)
{
    double out = untouched;
    mean_status status = mean_f64(data, len, stride, &out);
    expect(status == expected, mean_status_message(status), line);
    expect((out == untouched) == (expected != MEAN_OK), "*out is written on success only", line);
}
#define CHECK(data, len, stride, expected) check_f64(data, len, stride, expected, __LINE__)

static void statuses(void)
{
    const double x[4] = {1, 2, 3, 4};
    const ptrdiff_t size = (ptrdiff_t)sizeof *x;
    const double *odd = (const double *)(const void *)((const char *)x + 1);
    double out = untouched;

    CHECK(x, 4, size, MEAN_OK);
    CHECK(NULL, 4, size, MEAN_NULL_POINTER);
    CHECK(x, 0, size, MEAN_ZERO_LENGTH);
    CHECK(x, 2, 2 * size, MEAN_NOT_CONTIGUOUS);
    CHECK(x + 3, 4, -size, MEAN_NOT_CONTIGUOUS);
    CHECK(x, 2, 0, MEAN_NOT_CONTIGUOUS);
    CHECK(odd, 2, size, MEAN_MISALIGNED);
    CHECK(x, over, size, MEAN_TOO_LARGE);
    CHECK(x, SIZE_MAX, size, MEAN_TOO_LARGE);
    CHECK(odd, over - 1, size, MEAN_MISALIGNED); /* the largest length there is */
    EXPECT(mean_f64(x, 4, size, NULL) == MEAN_NULL_POINTER);
    EXPECT(mean_f32(NULL, over * 2, 4, (float *)(void *)&out) == MEAN_NULL_POINTER);
    EXPECT(mean_f64(x, 4, size, (double *)(void *)((char *)&out + 1)) == MEAN_MISALIGNED);
    EXPECT(out == untouched);

    /* The stride of a single element is the stride to nowhere. */
    CHECK(x, 1, 0, MEAN_OK);
    CHECK(x, 1, -17, MEAN_OK);
}

/* Where two statuses apply, the documented order decides. */
static void order(void)
{
    const double x[2] = {1, 2};
    const double *odd = (const double *)(const void *)((const char *)x + 1);

    EXPECT(mean_f64(NULL, 0, 3, NULL) == MEAN_NULL_POINTER);
    CHECK(NULL, 0, 3, MEAN_ZERO_LENGTH);
    CHECK(NULL, over, 3, MEAN_NULL_POINTER);
    CHECK(odd, over, 3, MEAN_TOO_LARGE);
    CHECK(odd, 2, 3, MEAN_NOT_CONTIGUOUS);
    CHECK(odd, 1, 3, MEAN_MISALIGNED);
}

static void results(void)
{
    const double huge[2] = {1e308, 1e308};
    const double cancelling[3] = {1e100, 1, -1e100};
    const double zero = -0.0;
    const double tiny[3] = {-4.9406564584124654e-324, 0, 0};
    const double not_a_number = (double)NAN;
    const float third[3] = {16777216, 1, 1};
    double d = 0;
    float f = 0;

    EXPECT(mean_f64(huge, 2, sizeof d, &d) == MEAN_OK && d == 1e308);
    EXPECT(mean_f64(cancelling, 3, sizeof d, &d) == MEAN_OK && d == 1.0 / 3);
    EXPECT(mean_f64(&zero, 1, sizeof d, &d) == MEAN_OK && d == 0 && !signbit(d));
    EXPECT(mean_f64(tiny, 3, sizeof d, &d) == MEAN_OK && d == 0 && signbit(d));
    EXPECT(mean_f64(&not_a_number, 1, sizeof d, &d) == MEAN_OK && isnan(d));
    EXPECT(mean_f32(third, 3, sizeof f, &f) == MEAN_OK && f == 5592406.0F);

    EXPECT(mean_f64_or_nan(huge, 2) == 1e308);
    EXPECT(mean_f32_or_nan(third, 3) == 5592406.0F);
    EXPECT(isnan(mean_f64_or_nan(&not_a_number, 1)));
    EXPECT(isnan(mean_f64_or_nan(NULL, 1)));
    EXPECT(isnan(mean_f64_or_nan(huge, 0)));
    EXPECT(isnan(mean_f32_or_nan((const float *)(const void *)((const char *)third + 1), 1)));
}

static void messages(void)
{
    const char *unknown = mean_status_message(-1);
    int32_t status;

    for (status = MEAN_OK; status <= MEAN_BAD_SIMD_LEVEL; status++)
        EXPECT(strcmp(mean_status_message(status), unknown) != 0);
    EXPECT(strcmp(mean_status_message(INT32_MAX), unknown) == 0);
    EXPECT(strcmp(mean_status_message(INT32_MIN), unknown) == 0);
    EXPECT(strstr(unknown, "unknown") != NULL);
}

/* With MEAN_SIMD set to nonsense, which the caller says by an argument. */
static void bad_level(void)
{
    const double x = 1;

    EXPECT(mean_simd_level() == NULL);
    CHECK(&x, 1, 8, MEAN_BAD_SIMD_LEVEL);
    EXPECT(mean_f64(NULL, 0, 0, NULL) == MEAN_BAD_SIMD_LEVEL);
    EXPECT(mean_f32(NULL, 0, 0, NULL) == MEAN_BAD_SIMD_LEVEL);
}

int main(int argc, char **argv)
{
#if defined(EXPECT_C23) && __STDC_VERSION__ < 202311L
#error "this compiler has no C23"
#endif
    (void)argv;
    if (argc > 1) {
        bad_level();
        return failures != 0;
    }
    EXPECT(mean_simd_level() != NULL);
    statuses();
    order();
    results();
    messages();
    EXPECT(mean_abi_version() == MEAN_ABI_VERSION);
    EXPECT(strcmp(mean_version(), EXPECTED_VERSION) == 0);
    return failures != 0;
}
