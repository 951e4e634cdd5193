/* exp, (exp(x) - 1) / x and the normal distribution function without branches and calls, for loops that the compiler is to
 * vectorise: relative errors below 1e-15, exp 0 below 1e-307. Without fused multiply-add those of the C library.
 */
#ifndef NSNN_SMOOTH_H
#define NSNN_SMOOTH_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__FMA__) || defined(__aarch64__)

/* 2^k exp(r), |r| <= ln(2) / 2, by Taylor's series */
static inline double nsnn_smooth_exp(double x) {
    const double inside = x < -708.0 ? -708.0 : x > 709.0 ? 709.0 : x;
    const double k = __builtin_rint(inside * 1.4426950408889634);
    const double r = __builtin_fma(k, -1.9082149292705877e-10, __builtin_fma(k, -0.6931471803691238, inside));
    double p = 1.6059043836821613e-10;
    double scale;
    const int64_t bits = ((int64_t)(int32_t)k + 1023) << 52;
    __builtin_memcpy(&scale, &bits, 8);
    p = __builtin_fma(p, r, 2.08767569878681e-09);
    p = __builtin_fma(p, r, 2.505210838544172e-08);
    p = __builtin_fma(p, r, 2.755731922398589e-07);
    p = __builtin_fma(p, r, 2.7557319223985893e-06);
    p = __builtin_fma(p, r, 2.48015873015873e-05);
    p = __builtin_fma(p, r, 0.0001984126984126984);
    p = __builtin_fma(p, r, 0.001388888888888889);
    p = __builtin_fma(p, r, 0.008333333333333333);
    p = __builtin_fma(p, r, 0.041666666666666664);
    p = __builtin_fma(p, r, 0.16666666666666666);
    p = __builtin_fma(p, r, 0.5);
    p = __builtin_fma(p, r, 1.0);
    p = __builtin_fma(p, r, 1.0);
    p = x < -708.0 ? 0.0 : p * scale;
    return x > 709.0 ? HUGE_VAL : x != x ? x : p;
}

/* (exp(x) - 1) / x, 1 at 0: with x = k ln(2) + r it is q(r), a Taylor series, for k = 0, else (2^k r q(r) + (2^k - 1)) / x */
static inline double nsnn_smooth_exprel(double x) {
    const double inside = x < -708.0 ? -708.0 : x > 709.0 ? 709.0 : x;
    const double k = __builtin_rint(inside * 1.4426950408889634);
    const double r = __builtin_fma(k, -1.9082149292705877e-10, __builtin_fma(k, -0.6931471803691238, inside));
    double q = 1.1470745597729725e-11;
    double scale;
    const int64_t bits = ((int64_t)(int32_t)k + 1023) << 52;
    __builtin_memcpy(&scale, &bits, 8);
    q = __builtin_fma(q, r, 1.6059043836821613e-10);
    q = __builtin_fma(q, r, 2.08767569878681e-09);
    q = __builtin_fma(q, r, 2.505210838544172e-08);
    q = __builtin_fma(q, r, 2.755731922398589e-07);
    q = __builtin_fma(q, r, 2.7557319223985893e-06);
    q = __builtin_fma(q, r, 2.48015873015873e-05);
    q = __builtin_fma(q, r, 0.0001984126984126984);
    q = __builtin_fma(q, r, 0.001388888888888889);
    q = __builtin_fma(q, r, 0.008333333333333333);
    q = __builtin_fma(q, r, 0.041666666666666664);
    q = __builtin_fma(q, r, 0.16666666666666666);
    q = __builtin_fma(q, r, 0.5);
    q = __builtin_fma(q, r, 1.0);
    q = k == 0.0 ? q : __builtin_fma(scale, r * q, scale - 1.0) / (k == 0.0 ? 1.0 : x);
    return x > 709.0 ? HUGE_VAL : x != x ? x : q;
}

/* Phi(-a) exp(a^2 / 2) (a + 5), a from 0 to 39, is a polynomial in s, linear in 1 / (a + 5) and from -1 to 1: interpolation at
 * Chebyshev's nodes. a^2 in two parts, the first exact. */
static inline double nsnn_smooth_normal_cdf(double x) {
    double a = x < 0.0 ? -x : x;
    a = a < 39.0 ? a : 39.0;
    const double hi = (double)(float)a;
    const double e = 0.5 * (a - hi) * (a + hi);
    const double s = 11.282051282051283 / (a + 5.0) + -1.2564102564102564;
    double p = -1.3234618391939293e-12;
    p = __builtin_fma(p, s, 2.30502524482311e-11);
    p = __builtin_fma(p, s, -3.525984056928393e-12);
    p = __builtin_fma(p, s, -3.034436685273345e-10);
    p = __builtin_fma(p, s, 2.500682814949162e-10);
    p = __builtin_fma(p, s, 2.5171630454164596e-09);
    p = __builtin_fma(p, s, -3.4670651192066112e-09);
    p = __builtin_fma(p, s, -1.9205563853214765e-08);
    p = __builtin_fma(p, s, 3.479783021012478e-08);
    p = __builtin_fma(p, s, 1.6073575888998455e-07);
    p = __builtin_fma(p, s, -2.95110232864377e-07);
    p = __builtin_fma(p, s, -1.5845087628351517e-06);
    p = __builtin_fma(p, s, 1.8564745215953402e-06);
    p = __builtin_fma(p, s, 1.780994617011063e-05);
    p = __builtin_fma(p, s, 4.471114501283097e-06);
    p = __builtin_fma(p, s, -0.00019322758914526152);
    p = __builtin_fma(p, s, -0.0005243514712485303);
    p = __builtin_fma(p, s, 0.0008627486235639996);
    p = __builtin_fma(p, s, 0.011065377990240842);
    p = __builtin_fma(p, s, 0.04597293297523747);
    p = __builtin_fma(p, s, 0.12867006513543938);
    p = __builtin_fma(p, s, 0.2772184721037675);
    p = __builtin_fma(p, s, 0.4839898957497963);
    p = __builtin_fma(p, s, 0.701226008664366);
    p = __builtin_fma(p, s, 0.8516896445588364);
    p *= nsnn_smooth_exp(-0.5 * hi * hi) * (1.0 - e * (1.0 - 0.5 * e * (1.0 - e / 3.0))) / (a + 5.0);
    return x != x ? x : x < 0.0 ? p : 1.0 - p;
}

#else

static inline double nsnn_smooth_exp(double x) { return exp(x); }
static inline double nsnn_smooth_exprel(double x) {
    return (x < 0.0 ? -x : x) < 1e-16 ? 1.0 : x > 709.0 ? HUGE_VAL : expm1(x) / x;
}
static inline double nsnn_smooth_normal_cdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }

#endif

/* a distance from threshold in units of the noise: 0 above it, 1e15 far below; not a number counts as far */
static inline double nsnn_bridge_room(double x) {
    const double room = 0.5 * (x + __builtin_fabs(x)); /* without a second condition, which costs more */
    return room < 1e15 ? room : 1e15;
}

#endif
