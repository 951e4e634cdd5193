/* Random numbers in order, from blocks that a loop without branches and calls fills: what `randn()` and `rand()` of generated code
 * draw from inside `fast_noise`. Wants philox.h before it, and NSNN_BUFFER, a power of two.
 *
 * A block is Philox4x32-10 of (count, count >> 32, stream, stream >> 32 with its highest bit for the kind): four normals or two
 * uniforms. state: two words of key, blocks so far, numbers taken from the buffer, stream. */
#ifndef NSNN_FAST_NOISE_H
#define NSNN_FAST_NOISE_H

#ifdef __GNUC__
#define NSNN_SELDOM static __attribute__((noinline, hot))
#define NSNN_EXPECT(condition, value) __builtin_expect(condition, value)
#else
#define NSNN_SELDOM static
#define NSNN_EXPECT(condition, value) (condition)
#endif

/* the blocks that a refill takes are a power of two, so the lower word of their count doesn't overflow inside it */
NSNN_INLINE nsnn_block nsnn_next_block(const int64_t *state, uint32_t j, uint32_t kind) {
    return nsnn_philox((uint32_t)state[2] + j, (uint32_t)(state[2] >> 32), (uint32_t)state[4],
                       (uint32_t)((uint64_t)state[4] >> 33) | (kind << 31), (uint32_t)state[0], (uint32_t)state[1]);
}

NSNN_SELDOM void nsnn_refill_normals(int64_t *state, double *buffer) {
    const int64_t now[5] = {state[0], state[1], state[2], 0, state[4]};
    for (uint32_t j = 0; j < NSNN_BUFFER / 4; j++) {
        const nsnn_block x = nsnn_next_block(now, j, 1);
        buffer[j] = nsnn_box_muller(x.c0, x.c1);
        buffer[j + NSNN_BUFFER / 4] = nsnn_box_muller(x.c2, x.c3);
        buffer[j + NSNN_BUFFER / 2] = nsnn_box_muller(x.c0, x.c1 - 0x40000000u);
        buffer[j + 3 * NSNN_BUFFER / 4] = nsnn_box_muller(x.c2, x.c3 - 0x40000000u);
    }
    state[2] += NSNN_BUFFER / 4;
    state[3] = 0;
}

NSNN_SELDOM void nsnn_refill_uniforms(int64_t *state, double *buffer) {
    const int64_t now[5] = {state[0], state[1], state[2], 0, state[4]};
    for (uint32_t j = 0; j < NSNN_BUFFER / 2; j++) {
        const nsnn_block x = nsnn_next_block(now, j, 0);
        buffer[j] = nsnn_uniform_of(((uint64_t)x.c1 << 32) | x.c0);
        buffer[j + NSNN_BUFFER / 2] = nsnn_uniform_of(((uint64_t)x.c3 << 32) | x.c2);
    }
    state[2] += NSNN_BUFFER / 2;
    state[3] = 0;
}

NSNN_INLINE double nsnn_next_normal(int64_t *state, double *buffer) {
    if (NSNN_EXPECT(state[3] == NSNN_BUFFER, 0)) nsnn_refill_normals(state, buffer);
    return buffer[state[3]++];
}

NSNN_INLINE double nsnn_next_uniform(int64_t *state, double *buffer) {
    if (NSNN_EXPECT(state[3] == NSNN_BUFFER, 0)) nsnn_refill_uniforms(state, buffer);
    return buffer[state[3]++];
}

#endif
