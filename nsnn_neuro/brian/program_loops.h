/* What loops of C++ programs do for many neurons at a time, in instructions that compilers do not choose by themselves: the words of
 * random numbers, Poisson numbers, and the search for the few neurons that may fire. What they compute is that of philox.h. */
#ifndef NSNN_PROGRAM_LOOPS_H
#define NSNN_PROGRAM_LOOPS_H
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Vector instructions by the names that GCC has for them; otherwise by those of a header whose reading takes a third of a second */
#if defined(__GNUC__) && !defined(__clang__) && defined(__has_builtin)
#if __has_builtin(__builtin_ia32_pmuludq512_mask) && __has_builtin(__builtin_ia32_ptestmq512) && \
    __has_builtin(__builtin_ia32_pmovzxdq512_mask) && __has_builtin(__builtin_ia32_rsqrt14pd512_mask) && \
    __has_builtin(__builtin_ia32_ptestmd512) && __has_builtin(__builtin_ia32_compresssi512_mask) && \
    __has_builtin(__builtin_ia32_pmuludq256) && __has_builtin(__builtin_ia32_ptestz256)
#define NSNN_BUILTINS
#endif
#endif
#if defined(__GNUC__) && defined(__AVX2__) && !defined(NSNN_BUILTINS)
#include <immintrin.h>
#endif

#define NSNN_DRAWN 128 /* neurons for which words are drawn at a time, and among which those that are due are searched */
#define NSNN_SEARCHED 1024

/* Numbers of 32 bits in lanes of 64 and their products: one instruction, where compilers multiply 64 by 64 bits in three or more */
#if defined(__GNUC__) && defined(__AVX512F__)
#define NSNN_LANES 8
typedef uint64_t nsnn_wide __attribute__((vector_size(64)));
typedef int nsnn_ints __attribute__((vector_size(32)));
typedef int64_t nsnn_wholes __attribute__((vector_size(64)));
typedef double nsnn_reals __attribute__((vector_size(64)));
typedef int32_t nsnn_places __attribute__((vector_size(64)));
#ifdef NSNN_BUILTINS
typedef long long nsnn_long __attribute__((vector_size(64)));
static inline nsnn_wide nsnn_product(nsnn_wide x, uint32_t y) {
    const nsnn_wide all = nsnn_wide{} + y;
    return (nsnn_wide)__builtin_ia32_pmuludq512_mask((nsnn_places)x, (nsnn_places)all, nsnn_long{}, (unsigned char)-1);
}
static inline bool nsnn_any(nsnn_wholes x) {
    return __builtin_ia32_ptestmq512((nsnn_long)x, (nsnn_long)x, (unsigned char)-1) != 0;
}
static inline unsigned short nsnn_not_zero(nsnn_places x) { return __builtin_ia32_ptestmd512(x, x, (unsigned short)-1); }
static inline nsnn_places nsnn_compressed(unsigned short some, nsnn_places x) {
    return __builtin_ia32_compresssi512_mask(x, nsnn_places{}, some);
}
#else
static inline nsnn_wide nsnn_product(nsnn_wide x, uint32_t y) {
    return (nsnn_wide)_mm512_mul_epu32((__m512i)x, _mm512_set1_epi64((int64_t)y));
}
static inline bool nsnn_any(nsnn_wholes x) { return _mm512_test_epi64_mask((__m512i)x, (__m512i)x) != 0; }
static inline unsigned short nsnn_not_zero(nsnn_places x) { return _mm512_test_epi32_mask((__m512i)x, (__m512i)x); }
static inline nsnn_places nsnn_compressed(unsigned short some, nsnn_places x) {
    return (nsnn_places)_mm512_maskz_compress_epi32(some, (__m512i)x);
}
#endif
#elif defined(__GNUC__) && defined(__AVX2__)
#define NSNN_LANES 4
typedef uint64_t nsnn_wide __attribute__((vector_size(32)));
typedef uint32_t nsnn_narrow __attribute__((vector_size(16)));
typedef int64_t nsnn_wholes __attribute__((vector_size(32)));
typedef double nsnn_reals __attribute__((vector_size(32)));
#ifdef NSNN_BUILTINS
typedef long long nsnn_long __attribute__((vector_size(32)));
typedef int32_t nsnn_places __attribute__((vector_size(32)));
static inline nsnn_wide nsnn_product(nsnn_wide x, uint32_t y) {
    const nsnn_wide all = nsnn_wide{} + y;
    return (nsnn_wide)__builtin_ia32_pmuludq256((nsnn_places)x, (nsnn_places)all);
}
static inline bool nsnn_any(nsnn_wholes x) { return !__builtin_ia32_ptestz256((nsnn_long)x, (nsnn_long)x); }
#else
static inline nsnn_wide nsnn_product(nsnn_wide x, uint32_t y) {
    return (nsnn_wide)_mm256_mul_epu32((__m256i)x, _mm256_set1_epi64x((int64_t)y));
}
static inline bool nsnn_any(nsnn_wholes x) { return !_mm256_testz_si256((__m256i)x, (__m256i)x); }
#endif
#else
#define NSNN_LANES 1
typedef uint64_t nsnn_wide;
static inline nsnn_wide nsnn_product(nsnn_wide x, uint32_t y) { return (uint64_t)(uint32_t)x * y; }
#endif

static inline nsnn_wide nsnn_widened(const int32_t* from) {
#if NSNN_LANES == 8 /* one instruction, for which GCC 12 takes five */
    nsnn_ints x;
    memcpy(&x, from, sizeof x);
#ifdef NSNN_BUILTINS
    return (nsnn_wide)__builtin_ia32_pmovzxdq512_mask(x, nsnn_long{}, (unsigned char)-1);
#else
    return (nsnn_wide)_mm512_cvtepu32_epi64((__m256i)x);
#endif
#elif NSNN_LANES > 1
    nsnn_narrow x;
    memcpy(&x, from, sizeof x);
    return __builtin_convertvector(x, nsnn_wide);
#else
    return (uint32_t)*from;
#endif
}

/* The words, in the low 32 bits, of `count` <= MOST neurons; kind is the last byte of the counter. A round waits for the products of the
 * one before, so two vectors take turns. */
template <int MOST>
static inline void nsnn_words_of(int count, uint32_t first, const int32_t* neuron, const int32_t* trial, const int32_t* point,
                                 uint32_t kind, uint32_t key0, uint32_t key1, uint64_t (&words)[4][MOST]) {
    enum { VECTORS = NSNN_LANES > 1 ? 2 : 1, SIZE = VECTORS * NSNN_LANES };
    static_assert(MOST % SIZE == 0, "the last vectors are complete");
    int32_t last[3][SIZE];
    for (int i = 0; i < count; i += SIZE) {
        const int32_t *n = neuron + i, *t = trial + i, *p = point + i;
        if (i + SIZE > count) {
            for (int k = 0; k < SIZE; k++) {
                const int at = i + k < count ? i + k : i;
                last[0][k] = neuron[at];
                last[1][k] = trial[at];
                last[2][k] = point[at];
            }
            n = last[0], t = last[1], p = last[2];
        }
        nsnn_wide c0[VECTORS], c1[VECTORS], c2[VECTORS], c3[VECTORS], a[VECTORS], b[VECTORS];
        for (int j = 0; j < VECTORS; j++) {
            c1[j] = nsnn_widened(n + j * NSNN_LANES);
            c2[j] = nsnn_widened(t + j * NSNN_LANES);
            c3[j] = (nsnn_widened(p + j * NSNN_LANES) << 8) | kind;
            c0[j] = c1[j] * 0 + first;
        }
        uint32_t k0 = key0, k1 = key1;
        for (int round = 0; round < 10; round++) {
            for (int j = 0; j < VECTORS; j++) {
                a[j] = nsnn_product(c0[j], 0xD2511F53u);
                b[j] = nsnn_product(c2[j], 0xCD9E8D57u);
            }
            for (int j = 0; j < VECTORS; j++) {
                c0[j] = (b[j] >> 32) ^ c1[j] ^ (uint64_t)k0;
                c2[j] = (a[j] >> 32) ^ c3[j] ^ (uint64_t)k1;
                c1[j] = b[j];
                c3[j] = a[j];
            }
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        memcpy(words[0] + i, c0, sizeof c0);
        memcpy(words[1] + i, c1, sizeof c1);
        memcpy(words[2] + i, c2, sizeof c2);
        memcpy(words[3] + i, c3, sizeof c3);
    }
}

#if NSNN_LANES == 8
/* What nsnn_box_muller gives, up to the last bit or two, in fewer instructions and for eight neurons at a time */
#define NSNN_NORMALS

static inline nsnn_reals nsnn_without_sign(nsnn_reals x) { return (nsnn_reals)((nsnn_wide)x & 0x7FFFFFFFFFFFFFFFu); }

/* Square roots, faster than by the instruction: an estimate to 14 bits, and two steps of Newton's method */
static inline nsnn_reals nsnn_root(nsnn_reals x) {
#ifdef NSNN_BUILTINS
    const nsnn_reals about = __builtin_ia32_rsqrt14pd512_mask(x, nsnn_reals{}, (unsigned char)-1);
#else
    const nsnn_reals about = (nsnn_reals)_mm512_rsqrt14_pd((__m512d)x);
#endif
    nsnn_reals root = x * about, half = 0.5 * about;
    const nsnn_reals off = 0.5 - root * half;
    root += root * off;
    half += half * off;
    return root + half * (x - root * root);
}

/* sin(2 pi y), y from -1/4 to 1/4 */
static inline nsnn_reals nsnn_sine_of(nsnn_reals y) {
    const nsnn_reals z = y * y;
    nsnn_reals q = 0.10089695501646812 * z - 0.7177337921413454;
    q = q * z + 3.8199280942271643;
    q = q * z - 15.0946416761179;
    q = q * z + 42.058693925428685;
    q = q * z - 76.70585975282492;
    q = q * z + 81.60524927607362;
    q = q * z - 41.341702240399755;
    q = q * z + 6.283185307179586;
    return q * y;
}

/* The normals of two steps, which share the words */
static inline void nsnn_two_normals(nsnn_wide radius, nsnn_wide angle, nsnn_reals& even, nsnn_reals& odd) {
    /* a word in the lowest bits of a number from 2^20 to 2^20 + 1: no conversion */
    const nsnn_reals u = (nsnn_reals)((radius & 0xFFFFFFFFu) | 0x4130000000000000u) - (1048576.0 - 1.0 / 8589934592.0);
    const nsnn_wholes bits = (nsnn_wholes)u, e = (bits - 0x3FE6A09E667F3BCDll) >> 52;
    const nsnn_reals m = (nsnn_reals)(bits - (e << 52)), s = (m - 1.0) / (m + 1.0), t = s * s;
    nsnn_reals p = -0.2961942072131055 * t - 0.3062505629672838;
    p = p * t - 0.36367263360458657;
    p = p * t - 0.44444394113452096;
    p = p * t - 0.5714285752128336;
    p = p * t - 0.7999999999860468;
    p = p * t - 1.333333333333353;
    p = p * t - 4.0;
    const nsnn_reals root = nsnn_root(p * s - 1.3862943611198906 * __builtin_convertvector(e, nsnn_reals));
    /* the signed word and a half, in a number from 2^19 */
    const nsnn_wide twice = ((angle + angle) & 0x1FFFFFFFEu) ^ (0x4120000000000000u | 0x100000001u);
    const nsnn_reals turns = (nsnn_reals)twice - 524288.5, y = 0.25 - nsnn_without_sign(turns);
    /* y of the angle a quarter turn before is 1/4 - |y|, which is above 0, with the sign of the turns */
    const nsnn_wide size = (nsnn_wide)(0.25 - nsnn_without_sign(y)), sign = (nsnn_wide)turns & 0x8000000000000000u;
    even = root * nsnn_sine_of(y);
    odd = root * nsnn_sine_of((nsnn_reals)(size | sign));
}

static inline void nsnn_store(nsnn_reals x, double* to) { memcpy(to, &x, sizeof x); }
static inline void nsnn_store(nsnn_reals x, float* to) {
    for (int k = 0; k < NSNN_LANES; k++) to[k] = (float)x[k];
}

/* The normals of `count` <= MOST neurons and four steps, from their words */
template <int MOST, typename Real>
static inline void nsnn_normals_of(int count, const uint64_t (&words)[4][MOST], Real* first, Real* second, Real* third, Real* fourth) {
    Real last[4][NSNN_LANES];
    for (int i = 0; i < count; i += NSNN_LANES) {
        const bool complete = i + NSNN_LANES <= count;
        Real* out[4] = {first + i, second + i, third + i, fourth + i};
        nsnn_wide word[4];
        for (int k = 0; k < 4; k++) {
            memcpy(&word[k], words[k] + i, sizeof word[k]);
            if (!complete) out[k] = last[k];
        }
        nsnn_reals even, odd;
        nsnn_two_normals(word[0], word[1], even, odd);
        nsnn_store(even, out[0]);
        nsnn_store(odd, out[1]);
        nsnn_two_normals(word[2], word[3], even, odd);
        nsnn_store(even, out[2]);
        nsnn_store(odd, out[3]);
        if (complete) continue;
        const size_t bytes = (count - i) * sizeof(Real);
        memcpy(first + i, last[0], bytes);
        memcpy(second + i, last[1], bytes);
        memcpy(third + i, last[2], bytes);
        memcpy(fourth + i, last[3], bytes);
    }
}
#endif

template <typename Real>
static inline Real nsnn_above(Real x) {
    return x < 0 ? 0 : x; /* what is not a number stays so */
}

/* What nsnn_crossed gives for the `count` <= NSNN_SEARCHED neurons `where`, from their gaps */
template <typename Real>
static inline void nsnn_crossed_at(int count, const int32_t* where, int64_t step, const int32_t* neuron, const int32_t* trial,
                                   const int32_t* point, uint32_t stream, uint32_t key0, uint32_t key1, const Real* gap,
                                   double* crossed) {
    int32_t of[3][NSNN_SEARCHED];
    uint64_t words[4][NSNN_SEARCHED];
    double its[NSNN_SEARCHED], u[NSNN_SEARCHED];
    for (int k = 0; k < count; k++) {
        of[0][k] = neuron[where[k]];
        of[1][k] = trial[where[k]];
        of[2][k] = point[where[k]];
        its[k] = gap[where[k]];
    }
    nsnn_words_of(count, (uint32_t)(step >> 1), of[0], of[1], of[2], stream & 127, key0, key1, words);
    const uint64_t *low = words[2 * (step & 1)], *high = words[2 * (step & 1) + 1];
    for (int k = 0; k < count; k++) { /* as nsnn_uniform_of, and the test of nsnn_below before its exp */
        const uint64_t bits = 0x3FF0000000000000u | (high[k] & 0xFFFFFFFFu) << 20 | (low[k] & 0xFFFFFFFFu) >> 12;
        double x;
        memcpy(&x, &bits, sizeof x);
        u[k] = x - (1.0 - 1.0 / 9007199254740992.0);
        crossed[k] = u[k] * (1.0 + its[k] * (1.0 + its[k] * (0.5 + its[k] * (1.0 / 6.0))));
    }
    for (int k = 0; k < count; k++) crossed[k] = crossed[k] < 1.000001 && its[k] < 37.0 && u[k] < exp(-its[k]) ? 1.0 : 0.0;
}

/* What nsnn_jumps gives for these uniform numbers, means and chances of none. The first eight terms are added whether they are needed
 * or not, as where a series ends cannot be predicted. */
template <typename Real>
static inline void nsnn_jumps_of(int count, const double* u, const double* mean, const double* none, Real* out) {
    int i = 0;
#if NSNN_LANES > 1
    for (; i + NSNN_LANES <= count; i += NSNN_LANES) {
        nsnn_reals chance, by, term;
        memcpy(&chance, u + i, sizeof chance);
        memcpy(&by, mean + i, sizeof by);
        memcpy(&term, none + i, sizeof term);
        nsnn_reals total = term;
        nsnn_wholes jumps = {0};
#pragma GCC unroll 8
        for (int k = 1; k <= 8; k++) {
            jumps -= chance > total; /* -1 where that is so */
            term *= by * (1.0 / k);
            total += term;
        }
        for (int k = 9; k <= 2000 && nsnn_any(chance > total); k++) {
            jumps -= chance > total;
            term *= by * (1.0 / k);
            total += term;
        }
        for (int k = 0; k < NSNN_LANES; k++) out[i + k] = (Real)jumps[k];
    }
#endif
    for (; i < count; i++) {
        double term = none[i], total = term;
        int k = 0;
        while (u[i] > total && k < 2000) {
            k++;
            term *= mean[i] / k;
            total += term;
        }
        out[i] = k;
    }
}

/* Writes where `due`, of `count` <= NSNN_SEARCHED neurons, is not 0, and returns how many there are; `where` has space for 16 more */
static inline int nsnn_where_due(int count, const int32_t* due, int32_t* where) {
    int found = 0, i = 0;
#if NSNN_LANES == 8
    nsnn_places index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (; i + 16 <= count; i += 16) {
        nsnn_places x;
        memcpy(&x, due + i, sizeof x);
        const unsigned short some = nsnn_not_zero(x);
        const nsnn_places its = nsnn_compressed(some, index);
        memcpy(where + found, &its, sizeof its);
        found += __builtin_popcount(some);
        index += 16;
    }
#endif
    for (; i < count; i++) {
        where[found] = i;
        found += due[i] != 0;
    }
    return found;
}

#endif
