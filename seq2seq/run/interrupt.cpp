#include <weft/seq2seq/run/interrupt.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <ctime>

namespace weft {
namespace {

struct Asking {
  int signal;
  const char* message;
};
constexpr std::array kAsking{
    Asking{SIGINT, "interrupted by SIGINT"},   Asking{SIGTERM, "interrupted by SIGTERM"},
    Asking{SIGHUP, "interrupted by SIGHUP"},   Asking{SIGXCPU, "interrupted by SIGXCPU"},
    Asking{SIGUSR1, "interrupted by SIGUSR1"}, Asking{SIGUSR2, "interrupted by SIGUSR2"}};
constexpr std::array kHarmless{SIGPIPE, SIGXFSZ};
constexpr int64_t kOneRequest = 300'000'000;  // ns

// The handler may run on any thread.
std::atomic<int64_t> g_since = 0;  // ns, of the first signal; 0: none
std::atomic<int> g_signal = 0;
std::atomic<bool> g_pending = false;
static_assert(std::atomic<int64_t>::is_always_lock_free);
int g_scopes = 0;
thread_local int t_uninterrupted = 0;

int64_t now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

void note(int signal) {
  int64_t first = 0;
  if (g_since.compare_exchange_strong(first, now())) {
    g_signal = signal;
    g_pending = true;
  } else if (now() - first > kOneRequest) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

void forget() {
  g_since = 0;
  g_signal = 0;
  g_pending = false;
}

}  // namespace

const char* Interrupted::what() const noexcept {
  const auto* found = std::find_if(kAsking.begin(), kAsking.end(),
                                   [&](const Asking& a) { return a.signal == signal_; });
  return found == kAsking.end() ? "interrupted" : found->message;
}

InterruptScope::InterruptScope() {
  if (g_scopes++ == 0) forget();
  const auto handle = [&](int signal, void (*handler)(int), bool even_if_ignored) {
    struct sigaction old {
    }, action{};
    action.sa_handler = handler;  // without SA_RESTART: a write to a terminal that waits must end
    sigaction(signal, nullptr, &old);
    if (old.sa_handler == SIG_IGN && !even_if_ignored) return;
    sigaction(signal, &action, nullptr);
    before_.emplace_back(signal, old);
  };
  for (const Asking& a : kAsking) handle(a.signal, note, a.signal == SIGINT);
  for (const int signal : kHarmless) handle(signal, SIG_IGN, false);
}

InterruptScope::~InterruptScope() {
  for (const auto& [signal, action] : before_) sigaction(signal, &action, nullptr);
  if (--g_scopes == 0) forget();
}

void InterruptScope::op_ran(const Op&, std::span<const Tensor>, std::span<const Tensor>) {
  throw_if_interrupted();
}
void InterruptScope::vjp_begins(const Node&, std::span<const Tensor>) { throw_if_interrupted(); }

Uninterrupted::Uninterrupted() { ++t_uninterrupted; }
Uninterrupted::~Uninterrupted() { --t_uninterrupted; }

void throw_if_interrupted() {
  if (!g_pending.load(std::memory_order_relaxed) || t_uninterrupted > 0) return;
  g_pending = false;
  throw Interrupted(g_signal);
}

int interrupting_signal() { return g_signal; }

}  // namespace weft
