#include <weft/seq2seq/training/interrupt.h>

#include <csignal>

namespace weft {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;
constexpr int kSignals[] = {SIGINT, SIGTERM};

void note(int signal) {
  g_interrupted = signal;
  std::signal(signal, SIG_DFL);
}

}  // namespace

InterruptScope::InterruptScope() {
  g_interrupted = 0;
  for (int i = 0; i < 2; ++i) before_[i] = std::signal(kSignals[i], note);
}

InterruptScope::~InterruptScope() {
  for (int i = 0; i < 2; ++i) std::signal(kSignals[i], before_[i]);
}

int interrupting_signal() { return g_interrupted; }

}  // namespace weft
