/*
 * The mean of the numbers on the command line, or of three that a plain loop gets wrong.
 *
 *     cargo build --release -p mean-capi
 *     cc examples/mean.c -Imean/include -Ltarget/release -lmean -Wl,-rpath,target/release -o example
 *     ./example 1e308 1e308 -3.5
 */
#include "mean.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    static const double defaults[] = {1e308, 1e308, -3.5};
    const double *data = defaults;
    double *parsed = NULL;
    size_t len = sizeof defaults / sizeof *defaults;
    double mean = 0, sum = 0;
    size_t i;
    mean_status status;

    if (mean_abi_version() != MEAN_ABI_VERSION) {
        fprintf(stderr, "mean.h and the library do not belong together\n");
        return EXIT_FAILURE;
    }
    if (argc > 1) {
        len = (size_t)argc - 1;
        parsed = (double *)malloc(len * sizeof *parsed);
        if (parsed == NULL) {
            fprintf(stderr, "out of memory\n");
            return EXIT_FAILURE;
        }
        for (i = 0; i < len; i++) {
            char *end;
            parsed[i] = strtod(argv[i + 1], &end);
            if (end == argv[i + 1] || *end != '\0') {
                fprintf(stderr, "not a number: %s\n", argv[i + 1]);
                free(parsed);
                return EXIT_FAILURE;
            }
        }
        data = parsed;
    }

    status = mean_f64(data, len, sizeof *data, &mean);
    for (i = 0; i < len; i++)
        sum += data[i];
    free(parsed);
    if (status != MEAN_OK) {
        fprintf(stderr, "%s\n", mean_status_message(status));
        return EXIT_FAILURE;
    }
    printf("mean %s: %.17g (a plain loop: %.17g)\n", mean_version(), mean, sum / (double)len);
    return EXIT_SUCCESS;
}
