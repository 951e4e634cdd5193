/* Keyed noise: every draw is a pure function of (key, point, trial, neuron, stream, step).
 *
 * Generator: Philox4x32-10 (Salmon et al. 2011, doi 10.1145/2063384.2063405). One block of 128 bits serves two
 * consecutive steps of one neuron and stream. Normals: inverse normal distribution function, algorithm AS 241
 * (Wichura 1988, doi 10.2307/2347330), one draw for each 64 bits: symmetric, tails out to 9.1 standard deviations.
 * engine.py holds the same functions for the NumPy target; the tests hold both to published vectors.
 */
#ifndef NSNN_KEYED_NOISE_H
#define NSNN_KEYED_NOISE_H
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t nsnn_bits(int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream,
                                 int32_t key0, int32_t key1) {
    uint32_t c0 = (uint32_t)(step >> 1), c1 = (uint32_t)neuron, c2 = (uint32_t)trial;
    uint32_t c3 = ((uint32_t)point << 8) | (uint32_t)(stream & 255);
    uint32_t k0 = (uint32_t)key0, k1 = (uint32_t)key1;
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)c0 * 0xD2511F53u, b = (uint64_t)c2 * 0xCD9E8D57u;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (step & 1) ? ((uint64_t)c3 << 32) | c2 : ((uint64_t)c1 << 32) | c0;
}

static inline double nsnn_uniform(int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream,
                                  int32_t key0, int32_t key1) {
    const uint64_t bits = nsnn_bits(step, neuron, trial, point, stream, key0, key1);
    /* (n + 1/2) 2^-52, n of 52 bits: 1 + n 2^-52 by its bits, as few machines convert whole numbers of 64 bits in loops */
    const uint64_t one_to_two = 0x3FF0000000000000u | (bits >> 12);
    double u;
    memcpy(&u, &one_to_two, 8);
    return u - (1.0 - 1.0 / 9007199254740992.0);
}

/* minus the normal quantile of p, 0 < p < 1/2 */
static inline double nsnn_upper_quantile(double p) {
    const double q = 0.5 - p;
    double r, num, den;
    if (q <= 0.425) {
        r = 0.180625 - q * q;
        num = 2.5090809287301226727e3;
        num = num * r + 3.3430575583588128105e4;
        num = num * r + 6.7265770927008700853e4;
        num = num * r + 4.5921953931549871457e4;
        num = num * r + 1.3731693765509461125e4;
        num = num * r + 1.9715909503065514427e3;
        num = num * r + 1.3314166789178437745e2;
        num = num * r + 3.3871328727963666080e0;
        den = 5.2264952788528545610e3;
        den = den * r + 2.8729085735721942674e4;
        den = den * r + 3.9307895800092710610e4;
        den = den * r + 2.1213794301586595867e4;
        den = den * r + 5.3941960214247511077e3;
        den = den * r + 6.8718700749205790830e2;
        den = den * r + 4.2313330701600911252e1;
        return q * num / (den * r + 1.0);
    }
    r = sqrt(-log(p));
    if (r <= 5.0) {
        r -= 1.6;
        num = 7.74545014278341407640e-4;
        num = num * r + 2.27238449892691845833e-2;
        num = num * r + 2.41780725177450611770e-1;
        num = num * r + 1.27045825245236838258e0;
        num = num * r + 3.64784832476320460504e0;
        num = num * r + 5.76949722146069140550e0;
        num = num * r + 4.63033784615654529590e0;
        num = num * r + 1.42343711074968357734e0;
        den = 1.05075007164441684324e-9;
        den = den * r + 5.47593808499534494600e-4;
        den = den * r + 1.51986665636164571966e-2;
        den = den * r + 1.48103976427480074590e-1;
        den = den * r + 6.89767334985100004550e-1;
        den = den * r + 1.67638483018380384940e0;
        den = den * r + 2.05319162663775882187e0;
    } else {
        r -= 5.0;
        num = 2.01033439929228813265e-7;
        num = num * r + 2.71155556874348757815e-5;
        num = num * r + 1.24266094738807843860e-3;
        num = num * r + 2.65321895265761230930e-2;
        num = num * r + 2.96560571828504891230e-1;
        num = num * r + 1.78482653991729133580e0;
        num = num * r + 5.46378491116411436990e0;
        num = num * r + 6.65790464350110377720e0;
        den = 2.04426310338993978564e-15;
        den = den * r + 1.42151175831644588870e-7;
        den = den * r + 1.84631831751005468180e-5;
        den = den * r + 7.86869131145613259100e-4;
        den = den * r + 1.48753612908506148525e-2;
        den = den * r + 1.36929880922735805310e-1;
        den = den * r + 5.99832206555887937690e-1;
    }
    return num / (den * r + 1.0);
}

static inline double nsnn_normal(int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream,
                                 int32_t key0, int32_t key1) {
    const uint64_t bits = nsnn_bits(step, neuron, trial, point, stream, key0, key1);
    const double p = ((double)(bits & 0x7FFFFFFFFFFFFFFFull) + 0.5) * (1.0 / 18446744073709551616.0); /* 2^-64 */
    const double z = nsnn_upper_quantile(p);
    return (bits >> 63) ? z : -z;
}

/* Poisson with the given mean, by inversion */
static inline double nsnn_poisson(int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream,
                                  int32_t key0, int32_t key1, double mean) {
    const double u = nsnn_uniform(step, neuron, trial, point, stream, key0, key1);
    double term = exp(-mean), total = term;
    int k = 0;
    while (u > total && k < 2000) {
        k++;
        term *= mean / k;
        total += term;
    }
    return (double)k;
}

/* Poisson shot noise in one step. mean: expected jumps of each kind. The sum of the jumps at the step's end, each decayed by the
 * mean factor of a uniform time in it; lapse is the step's length in tau (0 without leak). */
static inline double nsnn_shots(int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream, int32_t key0,
                                int32_t key1, double mean, double weight, double mean_inh, double weight_inh, double lapse) {
    double sum = 0.0;
    if (mean > 0.0) sum += weight * nsnn_poisson(step, neuron, trial, point, stream, key0, key1, mean);
    if (mean_inh > 0.0) sum += weight_inh * nsnn_poisson(step, neuron, trial, point, stream + 1, key0, key1, mean_inh);
    return lapse > 0.0 ? -sum * expm1(-lapse) / lapse : sum;
}

/* The highest point of the path in that step, from its beginning: the jumps in random order at ordered uniform times, on a drift
 * that is linear in time. Where it cannot exceed room, a number below room. */
static inline double nsnn_summit(int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream, int32_t key0,
                                 int32_t key1, double mean, double weight, double mean_inh, double weight_inh, double drift,
                                 double room) {
    int64_t left = mean > 0.0 ? (int64_t)nsnn_poisson(step, neuron, trial, point, stream, key0, key1, mean) : 0;
    int64_t left_inh = mean_inh > 0.0 ? (int64_t)nsnn_poisson(step, neuron, trial, point, stream + 1, key0, key1, mean_inh) : 0;
    double bound = drift > 0.0 ? drift : 0.0, highest = bound, s = 0.0, sum = 0.0;
    int32_t event = 0;
    if (weight > 0.0) bound += (double)left * weight;
    if (weight_inh > 0.0) bound += (double)left_inh * weight_inh;
    if (bound < room || left + left_inh == 0) return highest;
    highest = 0.0;
    while (left + left_inh > 0) {
        const double n = (double)(left + left_inh);
        const int32_t other = (int32_t)((uint32_t)key1 ^ ((uint32_t)(++event) * 0x9E3779B9u));
        const uint64_t bits = nsnn_bits(step, neuron, trial, point, stream + 2, key0, other);
        const double u = ((double)(bits >> 32) + 0.5) * (1.0 / 4294967296.0);
        const double which = ((double)(bits & 0xFFFFFFFFull) + 0.5) * (1.0 / 4294967296.0);
        s = 1.0 - (1.0 - s) * exp(log(u) / n);
        if (sum + drift * s > highest) highest = sum + drift * s;
        if (which * n < (double)left) {
            sum += weight;
            left--;
        } else {
            sum += weight_inh;
            left_inh--;
        }
        if (sum + drift * s > highest) highest = sum + drift * s;
    }
    return sum + drift > highest ? sum + drift : highest;
}

/* standard normal distribution function, relative accuracy kept in the lower tail */
static inline double nsnn_normal_cdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }

#endif
