/* Keyed noise: every draw is a pure function of (key, point, trial, neuron, stream, step).
 *
 * Generator: Philox4x32-10 (Salmon et al. 2011, doi 10.1145/2063384.2063405). A block of 128 bits serves two consecutive steps of
 * one neuron and stream with 64 bits each, or four with a normal of 32 bits each. Normals: Box and Muller's (1958, doi
 * 10.1214/aoms/1177706645), symmetric, out to 6.76 standard deviations, without branches and calls, for loops that the compiler is
 * to vectorise. philox_numba.py holds the same functions for the NumPy target; the tests hold both to published vectors.
 */
#ifndef NSNN_KEYED_NOISE_H
#define NSNN_KEYED_NOISE_H
#include <math.h>
#include <stdint.h>
#include <string.h>

/* A word of a block, in its low 32 bits: as wide as that multiplications need no conversion where vectors multiply 64 bits */
#ifdef __AVX512DQ__
typedef uint64_t nsnn_word;
#else
typedef uint32_t nsnn_word;
#endif

/* memcpy and sqrt as builtins: C++ standalone has this file in a namespace, where the compiler takes theirs for unknown functions.
 * Compilers take the loops of generated code for rarely run, and inline little there */
#ifdef __GNUC__
#define NSNN_INLINE static inline __attribute__((always_inline))
#else
#define NSNN_INLINE static inline
#endif

typedef struct {
    uint32_t c0, c1, c2, c3;
} nsnn_block;

NSNN_INLINE nsnn_block nsnn_philox(uint32_t first, uint32_t neuron, uint32_t trial, uint32_t last, uint32_t k0, uint32_t k1) {
    nsnn_word c0 = first, c1 = neuron, c2 = trial, c3 = last;
    nsnn_block out;
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)(uint32_t)c0 * 0xD2511F53u, b = (uint64_t)(uint32_t)c2 * 0xCD9E8D57u;
        c0 = (nsnn_word)(b >> 32) ^ c1 ^ k0;
        c2 = (nsnn_word)(a >> 32) ^ c3 ^ k1;
        c1 = (nsnn_word)b;
        c3 = (nsnn_word)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out.c0 = (uint32_t)c0;
    out.c1 = (uint32_t)c1;
    out.c2 = (uint32_t)c2;
    out.c3 = (uint32_t)c3;
    return out;
}

NSNN_INLINE uint64_t nsnn_half(uint32_t pair, uint32_t odd, int32_t neuron, int32_t trial, int32_t point, int32_t stream,
                               int32_t key0, int32_t key1) {
    const nsnn_block x = nsnn_philox(pair, (uint32_t)neuron, (uint32_t)trial,
                                     ((uint32_t)point << 8) | (uint32_t)(stream & 127), (uint32_t)key0, (uint32_t)key1);
    return odd ? ((uint64_t)x.c3 << 32) | x.c2 : ((uint64_t)x.c1 << 32) | x.c0;
}

static inline uint64_t nsnn_bits(int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream,
                                 int32_t key0, int32_t key1) {
    return nsnn_half((uint32_t)(step >> 1), (uint32_t)(step & 1), neuron, trial, point, stream, key0, key1);
}

/* (n + 1/2) 2^-52, n of 52 bits: 1 + n 2^-52 by its bits, as few machines convert whole numbers of 64 bits in loops */
NSNN_INLINE double nsnn_uniform_of(uint64_t bits) {
    const uint64_t one_to_two = 0x3FF0000000000000u | (bits >> 12);
    double u;
    __builtin_memcpy(&u, &one_to_two, 8);
    return u - (1.0 - 1.0 / 9007199254740992.0);
}

static inline double nsnn_uniform(int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream,
                                  int32_t key0, int32_t key1) {
    return nsnn_uniform_of(nsnn_bits(step, neuron, trial, point, stream, key0, key1));
}

/* 1 where the uniform number u is below exp(-gap), which is less than 1 / (1 + gap + gap^2 / 2 + gap^3 / 6) */
static inline double nsnn_below(double u, double gap) {
    return u * (1.0 + gap * (1.0 + gap * (0.5 + gap * (1.0 / 6.0)))) < 1.000001 && u < exp(-gap) ? 1.0 : 0.0;
}

/* The same of a draw; beyond 37 there is no number that small, and nothing is drawn */
static inline double nsnn_crossed(int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream, int32_t key0,
                                  int32_t key1, double gap) {
    return gap < 37.0 ? nsnn_below(nsnn_uniform(step, neuron, trial, point, stream, key0, key1), gap) : 0.0;
}

/* Of the four steps 4 n to 4 n + 3 that `step` is one of, the uniform of step 4 n + turn */
NSNN_INLINE double nsnn_uniform_in_turn(int32_t turn, int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream,
                                        int32_t key0, int32_t key1) {
    const uint32_t pair = ((uint32_t)(step >> 2) << 1) + ((turn & 2) ? 1u : 0u);
    return nsnn_uniform_of(nsnn_half(pair, (uint32_t)(turn & 1), neuron, trial, point, stream, key0, key1));
}

/* Box and Muller's normal of two words: radius sqrt(-2 log u) times the cosine of the angle, u = (radius + 1/2) 2^-32 */
NSNN_INLINE double nsnn_box_muller(uint32_t radius, uint32_t angle) {
    /* a word w as w - 2^31, signed: few machines convert unsigned words in loops */
    const double u = ((double)(int32_t)(radius ^ 0x80000000u) + 2147483648.5) * (1.0 / 4294967296.0);
    const double turns = ((double)(int32_t)angle + 0.5) * (1.0 / 4294967296.0);
    const double y = 0.25 - (turns < 0.0 ? -turns : turns), z = y * y;
    int64_t bits;
    __builtin_memcpy(&bits, &u, 8);
    const int64_t e = (bits - 0x3FE6A09E667F3BCDll) >> 52; /* u = m 2^e, m from sqrt(1/2) to sqrt(2) */
    const int64_t mantissa = bits - e * 0x10000000000000ll;
    double m;
    __builtin_memcpy(&m, &mantissa, 8);
    const double s = (m - 1.0) / (m + 1.0), t = s * s;
    /* -4 artanh(s) / s and sin(2 pi y) / y: interpolation at Chebyshev's nodes, relative errors below 1e-16 */
    double p = -0.2961942072131055, q = 0.10089695501646812;
    p = p * t - 0.3062505629672838;
    p = p * t - 0.36367263360458657;
    p = p * t - 0.44444394113452096;
    p = p * t - 0.5714285752128336;
    p = p * t - 0.7999999999860468;
    p = p * t - 1.333333333333353;
    p = p * t - 4.0;
    q = q * z - 0.7177337921413454;
    q = q * z + 3.8199280942271643;
    q = q * z - 15.0946416761179;
    q = q * z + 42.058693925428685;
    q = q * z - 76.70585975282492;
    q = q * z + 81.60524927607362;
    q = q * z - 41.341702240399755;
    q = q * z + 6.283185307179586;
    return __builtin_sqrt(p * s - 1.3862943611198906 * (double)(int32_t)e) * (q * y);
}

/* Of the four steps 4 n to 4 n + 3 that `step` is one of, the normal of step 4 n + turn. Two words serve two steps: the cosine
 * of their angle the even one, the sine the odd one. */
NSNN_INLINE double nsnn_normal_in_turn(int32_t turn, int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream,
                                       int32_t key0, int32_t key1) {
    const nsnn_block x = nsnn_philox((uint32_t)(step >> 2), (uint32_t)neuron, (uint32_t)trial,
                                     ((uint32_t)point << 8) | (uint32_t)(stream & 127) | 128u, (uint32_t)key0, (uint32_t)key1);
    const uint32_t quarter = (turn & 1) ? 0x40000000u : 0u;
    return nsnn_box_muller((turn & 2) ? x.c2 : x.c0, ((turn & 2) ? x.c3 : x.c1) - quarter);
}

NSNN_INLINE double nsnn_normal(int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream,
                               int32_t key0, int32_t key1) {
    return nsnn_normal_in_turn((int32_t)(step & 3), step, neuron, trial, point, stream, key0, key1);
}

/* That of four steps' numbers which is the step's */
NSNN_INLINE double nsnn_in_turn(int64_t step, double first, double second, double third, double fourth) {
    const double early = (step & 1) ? second : first, late = (step & 1) ? fourth : third;
    return (step & 2) ? late : early;
}

/* The same without a condition: GCC 12 does not vectorise a loop in which two such draws depend on the same condition */
NSNN_INLINE double nsnn_smooth_in_turn(int64_t step, double first, double second, double third, double fourth) {
    const int64_t odd = -(step & 1), late = -(step >> 1 & 1);
    int64_t bits[4];
    double chosen;
    __builtin_memcpy(&bits[0], &first, 8);
    __builtin_memcpy(&bits[1], &second, 8);
    __builtin_memcpy(&bits[2], &third, 8);
    __builtin_memcpy(&bits[3], &fourth, 8);
    bits[0] = (bits[0] & ~odd) | (bits[1] & odd);
    bits[2] = (bits[2] & ~odd) | (bits[3] & odd);
    bits[0] = (bits[0] & ~late) | (bits[2] & late);
    __builtin_memcpy(&chosen, &bits[0], 8);
    return chosen;
}

/* Poisson with the given mean, by inversion of a uniform number u; none = exp(-mean) */
static inline double nsnn_jumps(double u, double mean, double none) {
    double term = none, total = none;
    int k = 0;
    while (u > total && k < 2000) {
        k++;
        term *= mean / k;
        total += term;
    }
    return (double)k;
}

/* The highest point of a membrane's path in a step, from its beginning: the jumps in random order at ordered uniform times, on a
 * drift that is linear in time. Where it cannot exceed room, a number below room. */
static inline double nsnn_summit(int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream, int32_t key0,
                                 int32_t key1, double jumps, double weight, double jumps_inh, double weight_inh, double drift,
                                 double room) {
    int64_t left = (int64_t)jumps, left_inh = (int64_t)jumps_inh;
    double bound = drift > 0.0 ? drift : 0.0, highest = bound, s = 0.0, sum = 0.0;
    int32_t event = 0;
    if (weight > 0.0) bound += (double)left * weight;
    if (weight_inh > 0.0) bound += (double)left_inh * weight_inh;
    if (bound < room || left + left_inh == 0) return highest;
    highest = 0.0;
    while (left + left_inh > 0) {
        const double n = (double)(left + left_inh);
        const int32_t other = (int32_t)((uint32_t)key1 ^ ((uint32_t)(++event) * 0x9E3779B9u));
        const uint64_t bits = nsnn_bits(step, neuron, trial, point, stream, key0, other);
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

/* What `nsnn_passage` returns when there is none */
#define NSNN_NEVER 1e150
#define NSNN_MOST_PIECES 256

/* Where in (0, 1) the cubic from p to q, both below 0, with slopes m and n has a maximum of 0 or more; -1 where it has none */
static inline double nsnn_cubic_top(double p, double q, double m, double n) {
    const double rise = q - p, above = (m > 0.0 ? m : 0.0) + (n < 0.0 ? -n : 0.0);
    if ((p > q ? p : q) + 4.0 / 27.0 * above < 0.0) return -1.0;
    const double a = 3.0 * (m + n - 2.0 * rise), b = 2.0 * (3.0 * rise - 2.0 * m - n), square = b * b - 4.0 * a * m;
    if (square < 0.0) return -1.0;
    const double half = -0.5 * (b + (b < 0.0 ? -sqrt(square) : sqrt(square)));
    for (int k = 0; k < 2; k++) {
        const double t = k ? m / half : half / a; /* not a number, or beyond 1, where there is no such root */
        if (t > 0.0 && t < 1.0 && p + t * (m + t * (b / 2.0 + t * a / 3.0)) >= 0.0) return t;
    }
    return -1.0;
}

/* The current at which a membrane in an Ornstein-Uhlenbeck current first reaches the threshold within a step, or NSNN_NEVER.
 *
 * From the step's beginning the membrane moves by way, as without noise, and by kick, through the current, which goes from now to
 * later; the threshold is room above the beginning of the membrane, then room_end. The path in between is drawn, given both ends, at
 * the ends of equal pieces, and a cubic with the membrane's slopes is tested in each. keep, ebb, pull, lapse and the roots are
 * those of one piece; far is how far the path may lie above its ends, and full the weight of a current in it. Fewer than one piece:
 * nothing is tested. */
static inline double nsnn_passage(int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream, int32_t key0,
                                  int32_t key1, double stream_shared, double way, double kick, double now, double later,
                                  double room, double room_end, double pieces, double keep, double ebb, double pull,
                                  double lapse, double root_ii, double root_vi, double root_vv, double far, double full,
                                  double common, double apart) {
    double current[NSNN_MOST_PIECES + 1], moved[NSNN_MOST_PIECES + 1];
    double var_ii[NSNN_MOST_PIECES + 1], var_vi[NSNN_MOST_PIECES + 1], var_vv[NSNN_MOST_PIECES + 1], gone[NSNN_MOST_PIECES + 1];
    const int count = (int)pieces;
    if (count < 1 || !(root_ii > 0.0)) return NSNN_NEVER;
    const double swing = (kick > 0.0 ? kick : 0.0) + (way > 0.0 ? way : 0.0) + far;
    if (swing + full * ((now < 0.0 ? -now : now) + (later < 0.0 ? -later : later)) < (room < room_end ? room : room_end))
        return NSNN_NEVER;
    current[0] = now;
    moved[0] = var_ii[0] = var_vi[0] = var_vv[0] = gone[0] = 0.0;
    for (int k = 0; k < count; k++) {
        const int32_t other = (int32_t)((uint32_t)key1 ^ ((uint32_t)(k / 2 + 1) * 0x9E3779B9u));
        double z[2];
        for (int j = 0; j < 2; j++) {
            const int32_t turn = 2 * (k % 2) + j;
            z[j] = apart * nsnn_normal_in_turn(turn, step * 4, neuron, trial, point, stream, key0, other);
            if (common > 0.0)
                z[j] += common * nsnn_normal_in_turn(turn, step * 4, -1, trial, point, (int32_t)stream_shared, key0, other);
        }
        const double ii = var_ii[k], vi = var_vi[k], vv = var_vv[k];
        moved[k + 1] = ebb * moved[k] + pull * current[k] + root_vi * z[0] + root_vv * z[1];
        current[k + 1] = keep * current[k] + root_ii * z[0];
        var_vv[k + 1] = ebb * ebb * vv + 2.0 * ebb * pull * vi + pull * pull * ii + root_vi * root_vi + root_vv * root_vv;
        var_vi[k + 1] = keep * (ebb * vi + pull * ii) + root_ii * root_vi;
        var_ii[k + 1] = keep * keep * ii + root_ii * root_ii;
        gone[k + 1] = ebb * gone[k] + 1.0;
    }
    /* pin the free path to its end: Cov(k, end) Cov(end)^-1 (end - free end), backwards */
    const double off_i = later - current[count], off_v = kick - moved[count], vi = var_vi[count];
    const double det = var_ii[count] * var_vv[count] - vi * vi;
    double pin_i = (var_vv[count] * off_i - vi * off_v) / det, pin_v = (var_ii[count] * off_v - vi * off_i) / det;
    const double scale = way / gone[count], leak = ebb < 1.0 ? 1.0 : 0.0;
    const double steep = ebb < 1.0 ? lapse / (1.0 - ebb) : 1.0, tilt = (room_end - room) / count;
    double found = NSNN_NEVER, next = way + kick - room_end, next_i = later;
    double next_slope = steep * scale * (1.0 + (ebb - 1.0) * gone[count]) + lapse * (later - leak * kick) - tilt;
    for (int k = count - 1; k >= 0; k--) {
        const double old = pin_i;
        pin_i = keep * old + pull * pin_v;
        pin_v = ebb * pin_v;
        const double i = current[k] + var_ii[k] * pin_i + var_vi[k] * pin_v;
        const double x = moved[k] + var_vi[k] * pin_i + var_vv[k] * pin_v;
        const double here = scale * gone[k] + x - (room + tilt * k);
        const double slope = steep * scale * (1.0 + (ebb - 1.0) * gone[k]) + lapse * (i - leak * x) - tilt;
        double t = -1.0;
        if (here >= 0.0)
            t = 0.0;
        else if (next >= 0.0)
            t = here / (here - next);
        else
            t = nsnn_cubic_top(here, next, slope, next_slope);
        if (t >= 0.0) found = i + t * (next_i - i);
        next = here;
        next_i = i;
        next_slope = slope;
    }
    return found;
}

/* standard normal distribution function, relative accuracy kept in the lower tail */
static inline double nsnn_normal_cdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }

#endif
