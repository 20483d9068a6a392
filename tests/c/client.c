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

/* The other types: integers give a double, 16-bit floats their own encodings. */
static void types(void)
{
    const uint8_t truths[3] = {0, 1, 255};
    const int8_t i8[2] = {INT8_MIN, INT8_MAX};
    const uint8_t u8[2] = {UINT8_MAX, 0};
    const int16_t i16[2] = {INT16_MIN, INT16_MAX};
    const uint16_t u16[2] = {UINT16_MAX, 0};
    const int32_t i32[2] = {INT32_MIN, INT32_MAX};
    const uint32_t u32[2] = {UINT32_MAX, 0};
    const int64_t i64[4] = {INT64_C(1) << 53, 1, 1, -(INT64_C(1) << 53)};
    const uint64_t u64[2] = {UINT64_MAX, UINT64_MAX};
    const uint16_t half[2] = {0x3c00, 0x4200};     /* 1 and 3 */
    const uint16_t brain[3] = {0x3f80, 0x3f80, 0}; /* 1, 1 and 0 */
    double d = 0;
    uint16_t h = 0;

    EXPECT(mean_bool(truths, 3, 1, &d) == MEAN_OK && d == 2.0 / 3);
    EXPECT(mean_i8(i8, 2, 1, &d) == MEAN_OK && d == -0.5);
    EXPECT(mean_u8(u8, 2, 1, &d) == MEAN_OK && d == 127.5);
    EXPECT(mean_i16(i16, 2, 2, &d) == MEAN_OK && d == -0.5);
    EXPECT(mean_u16(u16, 2, 2, &d) == MEAN_OK && d == 32767.5);
    EXPECT(mean_i32(i32, 2, 4, &d) == MEAN_OK && d == -0.5);
    EXPECT(mean_u32(u32, 2, 4, &d) == MEAN_OK && d == 2147483647.5);
    EXPECT(mean_i64(i64, 4, 8, &d) == MEAN_OK && d == 0.5);
    EXPECT(mean_u64(u64, 2, 8, &d) == MEAN_OK && d == 18446744073709551616.0);
    EXPECT(mean_f16(half, 2, 2, &h) == MEAN_OK && h == 0x4000);
    EXPECT(mean_bf16(brain, 3, 2, &h) == MEAN_OK && h == 0x3f2b);
    EXPECT(mean_i32(i32, 2, 8, &d) == MEAN_NOT_CONTIGUOUS);
    EXPECT(strstr(mean_status_message(MEAN_NOT_CONTIGUOUS), "mean_reduce()") != NULL);
}

static mean_array array(const void *data, int32_t dtype, int32_t ndim, const size_t *shape,
                        const ptrdiff_t *strides)
{
    mean_array described;

    described.data = (void *)(uintptr_t)data;
    described.dtype = dtype;
    described.ndim = ndim;
    described.shape = shape;
    described.strides = strides;
    return described;
}

static void reductions(void)
{
    const double x[2][3] = {{1, 2, 3}, {4, 5, NAN}};
    const float z[2][2] = {{1, NAN}, {3, 4}}; /* 1 + NaN i, 3 + 4 i */
    const int64_t times[3] = {1, 2, INT64_MIN};
    const uint8_t mask[3] = {1, 0, 1};
    const size_t both[] = {2, 3}, two[] = {2, 2}, columns[] = {3}, kept[] = {1, 3};
    const ptrdiff_t backwards[] = {-(ptrdiff_t)sizeof x[0], 2 * (ptrdiff_t)sizeof x[0][0]};
    const mean_array in = array(x, MEAN_DTYPE_F64, 2, both, NULL);
    const mean_array where = array(mask, MEAN_DTYPE_BOOL, 1, columns, NULL);
    double d[3] = {0, 0, 0};
    float f[3] = {0, 0, 0};
    int64_t t = 0;
    size_t empty = 99;
    mean_array out = array(d, MEAN_DTYPE_F64, 1, columns, NULL);
    mean_reduction reduction = {&in, &where, 1, 0, &out, &empty};
    mean_array a;

    EXPECT(mean_reduce(&in, NULL, 1, 0, &out, &empty) == MEAN_OK && empty == 0);
    EXPECT(d[0] == 2.5 && d[1] == 3.5 && isnan(d[2]));
    EXPECT(mean_reduce(&in, NULL, 1, MEAN_SKIP_NAN, &out, NULL) == MEAN_OK && d[2] == 3);
    EXPECT(mean_reduce(&in, &where, 1, 0, &out, &empty) == MEAN_OK && empty == 1);
    EXPECT(d[0] == 2.5 && isnan(d[1]) && isnan(d[2]));

    /* A result of another dtype, with the reduced axis or without. */
    out = array(f, MEAN_DTYPE_F32, 2, kept, NULL);
    EXPECT(mean_reduce(&in, NULL, 1, 0, &out, NULL) == MEAN_OK && f[1] == 3.5F);
    out = array(f, MEAN_DTYPE_F32, 0, NULL, NULL);
    EXPECT(mean_reduce(&in, &where, 3, MEAN_SKIP_NAN, &out, &empty) == MEAN_OK && empty == 0);
    EXPECT(f[0] == (float)(8.0 / 3));

    /* Any strides: the second row first, and but the outer columns. */
    a = array(x[1], MEAN_DTYPE_F64, 2, two, backwards);
    out = array(d, MEAN_DTYPE_F64, 1, two, NULL);
    EXPECT(mean_reduce(&a, NULL, 2, MEAN_SKIP_NAN, &out, NULL) == MEAN_OK);
    EXPECT(d[0] == 4 && d[1] == 2);

    /* Complex numbers, and times. */
    a = array(z, MEAN_DTYPE_C64, 1, two, NULL);
    out = array(f, MEAN_DTYPE_C64, 0, NULL, NULL);
    EXPECT(mean_reduce(&a, NULL, 1, 0, &out, NULL) == MEAN_OK && f[0] == 2 && isnan(f[1]));
    EXPECT(mean_reduce(&a, NULL, 1, MEAN_SKIP_NAN, &out, NULL) == MEAN_OK);
    EXPECT(f[0] == 3 && f[1] == 4);
    a = array(times, MEAN_DTYPE_TIME64, 1, columns, NULL);
    out = array(&t, MEAN_DTYPE_TIME64, 0, NULL, NULL);
    EXPECT(mean_reduce(&a, NULL, 1, 0, &out, NULL) == MEAN_OK && t == INT64_MIN);
    EXPECT(mean_reduce(&a, NULL, 1, MEAN_SKIP_NAN, &out, NULL) == MEAN_OK && t == 2);
    a.dtype |= MEAN_DTYPE_SWAPPED;
    EXPECT(mean_reduce(&a, NULL, 1, MEAN_SKIP_NAN, &out, NULL) == MEAN_OK);

    /* Arguments that are kept: each of them gets where it belongs. */
    out = array(d, MEAN_DTYPE_F64, 1, columns, NULL);
    EXPECT(mean_run(&reduction) == MEAN_OK && empty == 1);
    EXPECT(d[0] == 2.5 && isnan(d[1]) && isnan(d[2]));
    reduction.flags = MEAN_SKIP_NAN;
    EXPECT(mean_run(&reduction) == MEAN_OK && d[2] == 3);
    reduction.axes = 4;
    EXPECT(mean_run(&reduction) == MEAN_BAD_AXIS);
    EXPECT(mean_run(NULL) == MEAN_NULL_POINTER);
}

/* What mean_reduce() refuses; the result must be left alone. */
static void refusals(void)
{
    const double x[2][3] = {{1, 2, 3}, {4, 5, 6}};
    const size_t both[] = {2, 3}, rows[] = {2}, columns[] = {3}, none[] = {2, 0}, huge[] = {over, 2};
    const size_t endless[] = {PTRDIFF_MAX, 2}, one_two[] = {1, 2}, one_two_three[] = {1, 2, 3};
    const ptrdiff_t far[] = {PTRDIFF_MAX, 8}, nowhere[] = {0, 0};
    const mean_array good = array(x, MEAN_DTYPE_F64, 2, both, NULL);
    const mean_array mask = array(x, MEAN_DTYPE_BOOL, 1, columns, NULL);
    double d[3] = {-123.5, -123.5, -123.5};
    const mean_array result = array(d, MEAN_DTYPE_F64, 1, columns, NULL);
    mean_array in = good, out = result, where = mask;

#define REFUSED(axes, flags, expected) \
    do { \
        EXPECT(mean_reduce(&in, &where, axes, flags, &out, NULL) == (expected)); \
        in = good, out = result, where = mask; \
    } while (0)

    EXPECT(mean_reduce(NULL, NULL, 1, 0, &out, NULL) == MEAN_NULL_POINTER);
    EXPECT(mean_reduce(&in, NULL, 1, 0, NULL, NULL) == MEAN_NULL_POINTER);
    in.ndim = -1;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    out.ndim = 65;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    in.shape = NULL;
    REFUSED(1, 0, MEAN_NULL_POINTER);
    in.shape = (const size_t *)(const void *)((const char *)both + 1);
    REFUSED(1, 0, MEAN_MISALIGNED);
    REFUSED(1, 2, MEAN_BAD_FLAGS);
    REFUSED(4, 0, MEAN_BAD_AXIS);
    REFUSED(UINT64_MAX, 0, MEAN_BAD_AXIS);
    in.dtype = 0;
    REFUSED(1, 0, MEAN_BAD_DTYPE);
    out.dtype = MEAN_DTYPE_I64;
    REFUSED(1, 0, MEAN_BAD_DTYPE);
    out.dtype = MEAN_DTYPE_C128;
    REFUSED(1, 0, MEAN_BAD_DTYPE);
    out.dtype |= MEAN_DTYPE_SWAPPED;
    REFUSED(1, 0, MEAN_BAD_DTYPE);
    in.dtype = MEAN_DTYPE_TIME64;
    REFUSED(1, 0, MEAN_BAD_DTYPE);
    where.dtype = MEAN_DTYPE_U8;
    REFUSED(1, 0, MEAN_BAD_DTYPE);
    out.shape = rows;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    where.shape = rows;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    out.ndim = 2, out.shape = both;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    out.ndim = 2, out.shape = one_two;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    out.ndim = 3, out.shape = one_two_three;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    out.ndim = 0;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    where.ndim = 3, where.shape = one_two_three;
    REFUSED(1, 0, MEAN_BAD_SHAPE);

    /* Too large: in bytes, in elements (all of them the same one), by the strides. */
    where.ndim = 0;
    in.shape = huge, out.shape = rows;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    where.ndim = 0;
    in.shape = endless, in.strides = nowhere, out.shape = rows;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    in.strides = far;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    out.strides = far;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    where.strides = far;
    REFUSED(1, 0, MEAN_BAD_SHAPE);
    in.data = NULL;
    REFUSED(1, 0, MEAN_NULL_POINTER);
    where.data = NULL;
    REFUSED(1, 0, MEAN_NULL_POINTER);
    out.data = NULL;
    REFUSED(1, 0, MEAN_NULL_POINTER);
    in.shape = none;
    out.shape = rows;
    EXPECT(mean_reduce(&in, NULL, 2, 0, &out, NULL) == MEAN_ZERO_LENGTH);
    EXPECT(d[0] == -123.5 && d[1] == -123.5 && d[2] == -123.5);

    /* Nothing to do. */
    in.data = NULL;
    out = array(NULL, MEAN_DTYPE_F64, 1, none + 1, NULL);
    EXPECT(mean_reduce(&in, NULL, 1, 0, &out, NULL) == MEAN_OK);
}

static void messages(void)
{
    const char *unknown = mean_status_message(-1);
    int32_t status;

    for (status = MEAN_OK; status <= MEAN_BAD_FLAGS; status++)
        EXPECT(strcmp(mean_status_message(status), unknown) != 0);
    EXPECT(strcmp(mean_status_message(INT32_MAX), unknown) == 0);
    EXPECT(strcmp(mean_status_message(INT32_MIN), unknown) == 0);
    EXPECT(strstr(unknown, "unknown") != NULL);
}

/* With MEAN_SIMD set to nonsense, which the caller says by an argument. */
static void bad_level(void)
{
    const mean_reduction nothing = {NULL, NULL, 0, 0, NULL, NULL};
    const double x = 1;

    EXPECT(mean_simd_level() == NULL);
    CHECK(&x, 1, 8, MEAN_BAD_SIMD_LEVEL);
    EXPECT(mean_f64(NULL, 0, 0, NULL) == MEAN_BAD_SIMD_LEVEL);
    EXPECT(mean_f32(NULL, 0, 0, NULL) == MEAN_BAD_SIMD_LEVEL);
    EXPECT(mean_reduce(NULL, NULL, 0, 0, NULL, NULL) == MEAN_BAD_SIMD_LEVEL);
    EXPECT(mean_run(&nothing) == MEAN_BAD_SIMD_LEVEL);
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
    types();
    reductions();
    refusals();
    messages();
    EXPECT(mean_abi_version() == MEAN_ABI_VERSION);
    EXPECT(strcmp(mean_version(), EXPECTED_VERSION) == 0);
    return failures != 0;
}
