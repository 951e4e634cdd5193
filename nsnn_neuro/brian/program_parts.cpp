/* Text of a C++ program that runs in parts; `program_parts.py` puts in what follows a dollar sign */
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>
#include "objects.h"
#include "network.h"
#include "$header"
#ifndef _WIN32
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace brian {
$counts
}
$moves
static void (*const moves[])(int64_t) = {$names};
static int64_t* const counts[] = {$pointers};
static const int64_t sizes[] = {$sizes};
static const int groups = $groups;

/* Clock* or, from Brian2 2.10, BaseClock* */
typedef decltype(Network::objects)::value_type::first_type ClockPointer;

/* The values that all neurons share and those of the clocks, as they are when a piece begins */
struct Kept {
    char* values;
    std::vector<char> copy;
};
static std::vector<Kept> kept;
static void keep(void* values, size_t size) {
    char* const bytes = (char*)values;
    kept.push_back({bytes, std::vector<char>(bytes, bytes + size)});
}

static int64_t edge(int64_t size, int64_t part, int64_t parts) {
    return part == parts ? size : size * part / parts / $edge * $edge;
}

/* Brian2's Network::run without its sets of clocks, which take as long as the step of hundreds of neurons; the progress of all
 * pieces, of which completed are done, is written to a file */
static void run_steps(Network& network, double duration, int64_t completed, int64_t pieces) {
    const double start = network.t, end = start + duration;
    std::vector<ClockPointer> clocks;
    std::vector<size_t> clock_of;
    for (size_t i = 0; i < network.objects.size(); i++) {
        size_t k = 0;
        while (k < clocks.size() && clocks[k] != network.objects[i].first) k++;
        if (k == clocks.size()) clocks.push_back(network.objects[i].first);
        clock_of.push_back(k);
    }
    for (size_t k = 0; k < clocks.size(); k++) clocks[k]->set_interval(start, end);
    std::vector<char> due(clocks.size());
    for (int64_t step = 0; !Network::_globally_stopped; step++) {
        ClockPointer next = clocks[0];
        for (size_t k = 1; k < clocks.size(); k++)
            if (clocks[k]->t[0] < next->t[0]) next = clocks[k];
        if (!next->running()) break;
        network.t = next->t[0];
        for (size_t k = 0; k < clocks.size(); k++) due[k] = std::fabs(clocks[k]->t[0] - network.t) <= 1e-14;
        for (size_t i = 0; i < clock_of.size(); i++)
            if (due[clock_of[i]] && network.objects[i].second) network.objects[i].second();
        for (size_t k = 0; k < clocks.size(); k++)
            if (due[k]) clocks[k]->tick();
        if (step % 64 == 63)
            nsnn_report(brian::results_dir, (completed + (network.t - start) / duration) / pieces);
    }
    network.t = end;
}

void nsnn_run_in_parts(double duration, int64_t processes, int64_t pieces) {
    Network& network = brian::$network;
    const double start = network.t;
    int64_t number = 0; /* of this process */
    kept.clear();
$keep
#ifndef _WIN32
    std::vector<pid_t> children;
    std::signal(SIGCHLD, SIG_DFL);
    for (int64_t next = 1; next < processes; next++) {
        const pid_t child = fork();
        if (child < 0) {
            std::cerr << "process " << next + 1 << " of " << processes << " cannot be started: " << std::strerror(errno);
            for (size_t k = 0; k < children.size(); k++) kill(children[k], SIGKILL);
            std::exit(EXIT_FAILURE);
        }
        if (child == 0) {
            nsnn_end_without_parent(); /* the first process */
            number = next;
            children.clear();
            brian::results_dir += "part_" + std::to_string(number) + "/";
            break;
        }
        children.push_back(child);
    }
#endif
    const std::clock_t begun = std::clock();
    Network::_globally_running = true;
    for (int64_t piece = 0; piece < pieces; piece++) {
        const int64_t part = number * pieces + piece, parts = processes * pieces;
        for (int g = 0; g < groups; g++) {
            *counts[g] = edge(sizes[g], part + 1, parts) - edge(sizes[g], part, parts);
            moves[g](edge(sizes[g], part, parts));
        }
        for (size_t k = 0; k < kept.size(); k++) std::memcpy(kept[k].values, kept[k].copy.data(), kept[k].copy.size());
        network.t = start;
        run_steps(network, duration, piece, pieces);
        for (int g = 0; g < groups; g++) moves[g](-edge(sizes[g], part, parts));
    }
    for (int g = 0; g < groups; g++) *counts[g] = sizes[g];
    Network::_globally_running = false;
    Network::_last_run_time = (double)(std::clock() - begun) / CLOCKS_PER_SEC;
    Network::_last_run_completed_fraction = 1.0;
#ifndef _WIN32
    int failure = 0;
    for (size_t k = 0; k < children.size(); k++) {
        int status = 0;
        pid_t ended;
        do ended = waitpid(children[k], &status, 0);
        while (ended < 0 && errno == EINTR);
        if (ended == children[k] && status == 0) continue;
        failure = ended == children[k] && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
        std::cerr << "process " << k + 2 << " of " << processes << " failed";
        if (ended == children[k] && WIFSIGNALED(status)) std::cerr << " with signal " << WTERMSIG(status);
        std::cerr << "; with threads = 1 there is only one" << std::endl;
    }
    if (failure) std::exit(failure);
#endif
}
