// N noisy LIF neurons in plain C++ that GCC vectorises: the limit that a simulator of the same step is held against.
//
//   lif_limit step GENERATOR neurons steps seed mu sigma lapse theta reset hold      spikes are kept as (neuron, step)
//   lif_limit draw GENERATOR neurons steps seed                                      the normals alone
//
// Prints the seconds, the spikes for each neuron and step and its standard error (or mean, variance and fourth moment of the
// normals). sigma is the standard deviation of the free membrane, lapse dt / tau, hold the whole steps that a spike silences.
// The step is exact:  v -> mu + (v - mu) exp(-lapse) + sigma sqrt(1 - exp(-2 lapse)) z.  One thread, state in double.
//
// Generators: xoshiro, 32 lanes of xoshiro128++ (Blackman and Vigna 2021, doi 10.1145/3460772) and Box-Muller in double;
// single, the same with Box-Muller in float; quantile, one normal of each word by Giles' inverse in float (2012,
// doi 10.1016/B978-0-12-385963-1.00010-1); philox10 and philox7, Philox4x32 (Salmon et al. 2011, doi 10.1145/2063384.2063405)
// of (block, step; seed), four words to four normals by Box-Muller in double. No call into libm in a loop.
//
// g++ -O3 -march=native -ffast-math -std=c++11 lif_limit.cpp -o lif_limit
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

static const int CHUNK = 1024, GROUP = 64;
static const double LN2 = 0.69314718055994530942, TURN = 1.57079632679489661923 / 1073741824.0;
static const uint64_t TWO_52 = 0x4330000000000000u;  // bits of 2^52: a word of 32 bits joined to it is 2^52 + word, exactly

static inline double of_bits(uint64_t b) { double x; std::memcpy(&x, &b, 8); return x; }
static inline uint64_t bits_of(double x) { uint64_t b; std::memcpy(&b, &x, 8); return b; }
static inline float of_bits(uint32_t b) { float x; std::memcpy(&x, &b, 4); return x; }
static inline uint32_t bits_of(float x) { uint32_t b; std::memcpy(&b, &x, 4); return b; }

// -2 ln((w + 1/2) / 2^32): ln m of the mantissa m in [sqrt(1/2), sqrt(2)) as 2 artanh(s), s = (m - 1) / (m + 1)
static inline double exponential(uint64_t w) {
    const double x = of_bits(w | TWO_52) - (4503599627370496.0 - 0.5);
    const uint64_t moved = bits_of(x) + (0x3FF0000000000000u - 0x3FE6A09E667F3BCDu);
    const double k = of_bits((moved >> 52) | TWO_52) - (4503599627370496.0 + 1023.0 + 32.0);
    const double m = of_bits((moved & 0x000FFFFFFFFFFFFFu) + 0x3FE6A09E667F3BCDu);
    const double s = (m - 1.0) / (m + 1.0), z = s * s;
    double r = 1.0 / 15;
    r = r * z + 1.0 / 13;
    r = r * z + 1.0 / 11;
    r = r * z + 1.0 / 9;
    r = r * z + 1.0 / 7;
    r = r * z + 1.0 / 5;
    r = r * z + 1.0 / 3;
    return -2.0 * (k * LN2 + 2.0 * (s + s * z * r));
}

// Two normals of two words: a gives the radius, b the angle. The angle is within 45 degrees of the x axis, the two low bits of b
// exchange the axes and turn it round. Taylor series, to 1e-15.
static inline void box_muller(uint64_t a, uint64_t b, double &one, double &two) {
    const double radius = std::sqrt(exponential(a));
    const double t = (of_bits((b >> 2) | TWO_52) - (4503599627370496.0 + 536870912.0 - 0.5)) * TURN, z = t * t;
    double s = -1.0 / 1307674368000.0;
    s = s * z + 1.0 / 6227020800.0;
    s = s * z - 1.0 / 39916800;
    s = s * z + 1.0 / 362880;
    s = s * z - 1.0 / 5040;
    s = s * z + 1.0 / 120;
    s = s * z - 1.0 / 6;
    s = t + t * z * s;
    double c = 1.0 / 20922789888000.0;
    c = c * z - 1.0 / 87178291200.0;
    c = c * z + 1.0 / 479001600;
    c = c * z - 1.0 / 3628800;
    c = c * z + 1.0 / 40320;
    c = c * z - 1.0 / 720;
    c = c * z + 1.0 / 24;
    c = c * z - 0.5;
    c = 1.0 + z * c;
    const double r = of_bits(bits_of(radius) ^ ((b & 2) << 62)), x = r * c, y = r * s;
    one = (b & 1) ? y : x;
    two = (b & 1) ? x : y;
}

// ln x in float, x > 0: the same series; artanh's next term is below a float's rounding
static inline float logarithm(float x) {
    const uint32_t moved = bits_of(x) + (0x3F800000u - 0x3F3504F3u);
    const float k = (float)((int32_t)(moved >> 23) - 127), m = of_bits((moved & 0x007FFFFFu) + 0x3F3504F3u);
    const float s = (m - 1.0f) / (m + 1.0f), z = s * s;
    return k * 0.69314718f + 2.0f * (s + s * z * (0.33333333f + z * (0.2f + z * (0.14285714f + z * 0.11111111f))));
}

static inline void box_muller(uint32_t a, uint32_t b, float &one, float &two) {
    // the radius of a small u is exact in its bits, that of a u near 1 in those of 1 - u: ln(1 - x) = -x there
    const float u = ((float)(int32_t)(a >> 1) + 0.5f) * 4.6566129e-10f;
    const float radius = std::sqrt(std::max(-2.0f * logarithm(u), 1e-10f));
    const float t = ((float)(int32_t)b) * (1.5707963f / 4294967296.0f), z = t * t;
    const float s = t + t * z * (-0.16666667f + z * (0.0083333333f + z * (-1.9841270e-4f + z * 2.7557319e-6f)));
    const float c = 1.0f + z * (-0.5f + z * (0.041666667f + z * (-1.3888889e-3f + z * 2.4801587e-5f)));
    const float r = of_bits(bits_of(radius) ^ ((b & 2) << 30)), x = r * c, y = r * s;
    one = (b & 1) ? y : x;
    two = (b & 1) ? x : y;
}

static inline float quantile(uint32_t word) {
    const int32_t side = (int32_t)word, m = side ^ (side >> 31);
    const float x = ((float)m + 0.5f) * 4.6566129e-10f, rest = ((float)(0x7FFFFFFF - m) + 0.5f) * 4.6566129e-10f;
    const float w = -logarithm(rest * (2.0f - rest)), a = w - 2.5f, b = std::sqrt(w) - 3.0f;
    float p = 2.81022636e-08f, q = -0.000200214257f;
    p = p * a + 3.43273939e-07f, q = q * b + 0.000100950558f;
    p = p * a - 3.5233877e-06f, q = q * b + 0.00134934322f;
    p = p * a - 4.39150654e-06f, q = q * b - 0.00367342844f;
    p = p * a + 0.00021858087f, q = q * b + 0.00573950773f;
    p = p * a - 0.00125372503f, q = q * b - 0.0076224613f;
    p = p * a - 0.00417768164f, q = q * b + 0.00943887047f;
    p = p * a + 0.246640727f, q = q * b + 1.00167406f;
    p = p * a + 1.50140941f, q = q * b + 2.83297682f;
    const float z = (w < 5.0f ? p : q) * x * 1.41421356f;
    return side < 0 ? -z : z;
}

struct Xoshiro {
    static const int LANES = 32;
    alignas(64) uint32_t a[LANES], b[LANES], c[LANES], d[LANES];
    explicit Xoshiro(uint64_t seed) {
        const auto next = [&seed] {  // splitmix64
            uint64_t x = (seed += 0x9E3779B97F4A7C15u);
            x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
            x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
            return x ^ (x >> 31);
        };
        for (int l = 0; l < LANES; l++) {
            const uint64_t x = next(), y = next();
            a[l] = (uint32_t)x, b[l] = (uint32_t)(x >> 32), c[l] = (uint32_t)y, d[l] = (uint32_t)(y >> 32);
        }
    }
    void words(uint32_t *out) {
        for (int l = 0; l < LANES; l++) {
            uint32_t p = a[l], q = b[l], r = c[l], s = d[l];
            const uint32_t sum = p + s, t = q << 9;
            out[l] = ((sum << 7) | (sum >> 25)) + p;
            r ^= p, s ^= q, q ^= r, p ^= s, r ^= t, s = (s << 11) | (s >> 21);
            a[l] = p, b[l] = q, c[l] = r, d[l] = s;
        }
    }
};

// Each writes GROUP normals of neurons first, first + 1, ...
struct InDouble : Xoshiro {
    using Xoshiro::Xoshiro;
    void normals(double *z, uint32_t, uint32_t) {
        alignas(64) uint32_t u[LANES], w[LANES];
        words(u), words(w);
        for (int l = 0; l < LANES; l++) box_muller((uint64_t)u[l], (uint64_t)w[l], z[l], z[l + LANES]);
    }
};
struct InSingle : Xoshiro {
    using Xoshiro::Xoshiro;
    void normals(double *z, uint32_t, uint32_t) {
        alignas(64) uint32_t u[LANES], w[LANES];
        words(u), words(w);
        for (int l = 0; l < LANES; l++) {
            float one, two;
            box_muller(u[l], w[l], one, two);
            z[l] = one, z[l + LANES] = two;
        }
    }
};
struct ByQuantile : Xoshiro {
    using Xoshiro::Xoshiro;
    void normals(double *z, uint32_t, uint32_t) {
        alignas(64) uint32_t u[LANES], w[LANES];
        words(u), words(w);
        for (int l = 0; l < LANES; l++) z[l] = quantile(u[l]);
        for (int l = 0; l < LANES; l++) z[l + LANES] = quantile(w[l]);
    }
};
template <int ROUNDS> struct Philox {
    uint64_t seed;
    explicit Philox(uint64_t seed) : seed(seed) {}
    void normals(double *z, uint32_t first, uint32_t step) {
        const int quarter = GROUP / 4;
        for (int l = 0; l < quarter; l++) {  // words of 32 bits in lanes of 64: their product is one instruction
            uint64_t c0 = step, c1 = first / 4 + l, c2 = 0, c3 = 0;
            uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
            for (int round = 0; round < ROUNDS; round++) {
                const uint64_t p = (uint64_t)(uint32_t)c0 * 0xD2511F53u, q = (uint64_t)(uint32_t)c2 * 0xCD9E8D57u;
                c0 = (q >> 32) ^ c1 ^ k0, c2 = (p >> 32) ^ c3 ^ k1;
                c1 = q & 0xFFFFFFFFu, c3 = p & 0xFFFFFFFFu;
                k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
            }
            box_muller(c0, c1, z[l], z[l + quarter]);
            box_muller(c2, c3, z[l + 2 * quarter], z[l + 3 * quarter]);
        }
    }
};

struct Cell {
    double mu, relax, kick, theta, reset;
    int64_t hold;
};
struct Spike {
    int32_t neuron, step;
};

static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <typename Generator> static void simulate(int n, int steps, uint64_t seed, const Cell cell) {
    Generator generator(seed);
    const int padded = (n + GROUP - 1) / GROUP * GROUP;
    std::vector<double> membrane(padded, cell.reset);
    std::vector<int64_t> silent(padded, 0);
    std::vector<Spike> spikes;
    alignas(64) double z[CHUNK];
    alignas(64) uint8_t fired[CHUNK];
    const double begun = now();
    for (int step = 0; step < steps; step++)
        for (int first = 0; first < n; first += CHUNK) {
            const int many = std::min(CHUNK, n - first);
            for (int j = 0; j < many; j += GROUP) generator.normals(z + j, first + j, step);
            double *__restrict v = membrane.data() + first;
            int64_t *__restrict left = silent.data() + first;
            for (int j = 0; j < many; j++) {
                const double moved = v[j] + (cell.mu - v[j]) * cell.relax + cell.kick * z[j];
                const double x = left[j] > 0 ? v[j] : moved;
                const bool spike = x > cell.theta;
                const int64_t less = left[j] > 0 ? left[j] - 1 : 0;
                v[j] = spike ? cell.reset : x;
                left[j] = spike ? cell.hold : less;
                fired[j] = spike;
            }
            for (int j = many; j % 8; j++) fired[j] = 0;
            for (int j = 0; j < many; j += 8) {
                uint64_t eight;
                std::memcpy(&eight, fired + j, 8);
                if (eight)
                    for (int k = j; k < j + 8; k++)
                        if (fired[k]) spikes.push_back({first + k, step});
            }
        }
    const double taken = now() - begun;
    std::vector<double> count(n, 0.0);
    for (const Spike &s : spikes) count[s.neuron]++;
    double sum = 0, square = 0;
    for (double c : count) sum += c, square += c * c;
    const double mean = sum / n, error = std::sqrt((square / n - mean * mean) / (n - 1.0));
    std::printf("{\"seconds\": %.6f, \"rate\": %.9g, \"error\": %.9g}\n", taken, mean / steps, error / steps);
}

template <typename Generator> static void draw(int n, int steps, uint64_t seed) {
    Generator generator(seed);
    alignas(64) double z[CHUNK];
    n = (n + GROUP - 1) / GROUP * GROUP;
    double taken = 0, m1 = 0, m2 = 0, m4 = 0;
    for (int counted = 0; counted < 2; counted++) {  // once for the time, once for the moments
        const double begun = now();
        for (int step = 0; step < steps; step++)
            for (int first = 0; first < n; first += CHUNK) {
                const int many = std::min(CHUNK, n - first);
                for (int j = 0; j < many; j += GROUP) generator.normals(z + j, first + j, step);
                asm volatile("" : : "r"(z) : "memory");  // the numbers are wanted
                if (counted)
                    for (int j = 0; j < many; j++) {
                        const double q = z[j] * z[j];
                        m1 += z[j], m2 += q, m4 += q * q;
                    }
            }
        if (!counted) taken = now() - begun;
    }
    const double m = (double)n * steps;
    std::printf("{\"seconds\": %.6f, \"mean\": %.9g, \"variance\": %.9g, \"fourth\": %.9g, \"n\": %.0f}\n", taken, m1 / m, m2 / m,
                m4 / m, m);
}

template <typename Generator> static int start(char **argument) {
    const int n = std::atoi(argument[3]), steps = std::atoi(argument[4]);
    const uint64_t seed = std::strtoull(argument[5], nullptr, 10);
    if (std::string(argument[1]) == "draw") {
        draw<Generator>(n, steps, seed);
        return 0;
    }
    const double mu = std::atof(argument[6]), sigma = std::atof(argument[7]), lapse = std::atof(argument[8]);
    simulate<Generator>(n, steps, seed, {mu, -std::expm1(-lapse), sigma * std::sqrt(-std::expm1(-2 * lapse)),
                                         std::atof(argument[9]), std::atof(argument[10]), std::atoll(argument[11])});
    return 0;
}

int main(int count, char **argument) {
    const std::string task = count > 2 ? argument[1] : "", kind = count > 2 ? argument[2] : "";
    if ((task == "draw" && count == 6) || (task == "step" && count == 12)) {
        if (kind == "xoshiro") return start<InDouble>(argument);
        if (kind == "single") return start<InSingle>(argument);
        if (kind == "quantile") return start<ByQuantile>(argument);
        if (kind == "philox10") return start<Philox<10>>(argument);
        if (kind == "philox7") return start<Philox<7>>(argument);
    }
    std::fprintf(stderr, "usage: see the head of lif_limit.cpp\n");
    return 2;
}
