/* Power and energy as exact functions of CLOCK_MONOTONIC. */
#include "fake_nvml.h"
#include <math.h>

static double seconds(int64_t ns) { return (double)ns / 1e9; }

static double segment_watts(const struct segment *s, double t)
{
    const double *a = s->arg;
    switch (s->shape) {
    case SQUARE: return t - floor(t / a[2]) * a[2] < a[3] * a[2] ? a[0] : a[1];
    case RAMP: return t >= a[2] ? a[1] : a[0] + (a[1] - a[0]) * t / a[2];
    default: return a[0];
    }
}

/* Joules from the segment's start to t seconds after it. */
static double segment_joules(const struct segment *s, double t)
{
    const double *a = s->arg;
    switch (s->shape) {
    case SQUARE: {
        double high = a[3] * a[2], periods = floor(t / a[2]), rest = t - periods * a[2];
        double whole = periods * (high * a[0] + (a[2] - high) * a[1]);
        return whole + fmin(rest, high) * a[0] + fmax(rest - high, 0) * a[1];
    }
    case RAMP: {
        double in = fmin(t, a[2]);
        return a[0] * in + (a[1] - a[0]) * in * in / (2 * a[2]) + a[1] * (t - in);
    }
    default: return a[0] * t;
    }
}

/* Joules from the first segment's start to t_ns. */
static double total_joules(const struct gpu *g, int64_t t_ns)
{
    double sum = 0;
    for (unsigned i = 0; i < g->segments && g->segment[i].since_ns < t_ns; i++) {
        int64_t end_ns = t_ns;
        if (i + 1 < g->segments && g->segment[i + 1].since_ns < t_ns)
            end_ns = g->segment[i + 1].since_ns;
        sum += segment_joules(&g->segment[i], seconds(end_ns - g->segment[i].since_ns));
    }
    return sum;
}

/* The sensor's last refresh. */
static int64_t sampled_ns(const struct gpu *g, int64_t now_ns)
{
    return g->refresh_ns > 0 ? now_ns - now_ns % g->refresh_ns : now_ns;
}

double power_watts(const struct gpu *g, int64_t now_ns)
{
    int64_t t_ns = sampled_ns(g, now_ns);
    for (unsigned i = g->segments; i-- > 0;)
        if (g->segment[i].since_ns <= t_ns)
            return segment_watts(&g->segment[i], seconds(t_ns - g->segment[i].since_ns));
    return 0;
}

double average_watts(const struct gpu *g, int64_t now_ns, int64_t window_ns)
{
    int64_t to_ns = sampled_ns(g, now_ns), from_ns = to_ns - window_ns;
    if (g->segments && from_ns < g->segment[0].since_ns)
        from_ns = g->segment[0].since_ns;
    if (from_ns >= to_ns)
        return power_watts(g, now_ns);
    return (total_joules(g, to_ns) - total_joules(g, from_ns)) / seconds(to_ns - from_ns);
}

uint64_t counter_mj(const struct gpu *g, int64_t now_ns)
{
    int64_t t_ns = sampled_ns(g, now_ns);
    if (t_ns > g->stuck_ns)
        t_ns = g->stuck_ns;
    double joules = total_joules(g, t_ns);
    if (t_ns >= g->reset_ns)
        return (uint64_t)((joules - total_joules(g, g->reset_ns)) * 1e3);
    return (uint64_t)(g->base_mj + joules * 1e3);
}

unsigned reported_mw(const struct gpu *g, int64_t now_ns)
{
    double watts = g->power_window_ns > 0 ? average_watts(g, now_ns, g->power_window_ns)
                                          : power_watts(g, now_ns);
    return (unsigned)(watts * 1e3 + 0.5);
}
