#include <examples/translate/interrupt.h>

#include <csignal>

namespace translate {
namespace {
volatile std::sig_atomic_t g_interrupted = 0;
}  // namespace

InterruptScope::InterruptScope() {
  g_interrupted = 0;
  before_ = std::signal(SIGINT, [](int) {
    g_interrupted = 1;
    std::signal(SIGINT, SIG_DFL);
  });
}

InterruptScope::~InterruptScope() { std::signal(SIGINT, before_); }

bool interrupted() { return g_interrupted != 0; }

}  // namespace translate
