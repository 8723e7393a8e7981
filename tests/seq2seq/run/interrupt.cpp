#include <weft/autograd/ops.h>
#include <weft/seq2seq/run/interrupt.h>
#include <weft/tests/catch.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <functional>
#include <thread>

using namespace weft;

namespace {

// How a child process that calls `f` ends; what f returns is its exit status.
int status_of_child(const std::function<int()>& f) {
  const pid_t pid = fork();
  if (pid == 0) _exit(f());
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

bool next_op_throws() {
  try {
    zeros({2}) + 1;
  } catch (const Interrupted&) {
    return true;
  }
  return false;
}

}  // namespace

TEST_CASE("interrupt: a signal ends the forward pass between two ops, once") {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGUSR1, SIGUSR2}) {
    const InterruptScope scope;
    CHECK_FALSE(next_op_throws());
    CHECK(interrupting_signal() == 0);
    std::raise(signal);
    CHECK(interrupting_signal() == signal);
    CHECK(next_op_throws());
    CHECK_FALSE(next_op_throws());
  }
  CHECK(std::string(Interrupted(SIGTERM).what()) == "interrupted by SIGTERM");
}

TEST_CASE("interrupt: a signal ends the backward pass") {
  const InterruptScope scope;
  Tensor x = ones({3});
  x.set_requires_grad(true);
  const Tensor y = sum(exp(x) * x);
  std::raise(SIGTERM);
  CHECK_THROWS_AS(y.backward(), Interrupted);
  y.backward();
  CHECK(x.grad().to_vector<float>()[0] == Approx(2 * std::exp(1.0F)));
}

TEST_CASE("interrupt: what is to be done whole is") {
  const InterruptScope scope;
  {
    const Uninterrupted whole;
    std::raise(SIGTERM);
    CHECK_FALSE(next_op_throws());
  }
  CHECK(next_op_throws());
}

TEST_CASE("interrupt: scopes nest, and the outer one remembers") {
  const InterruptScope outer;
  std::raise(SIGTERM);
  {
    const InterruptScope inner;
    CHECK(interrupting_signal() == SIGTERM);
    CHECK(next_op_throws());
  }
  CHECK_FALSE(next_op_throws());
  CHECK(interrupting_signal() == SIGTERM);
}

TEST_CASE("interrupt: a signal is forgotten with the outermost scope") {
  {
    const InterruptScope scope;
    std::raise(SIGTERM);
  }
  CHECK(interrupting_signal() == 0);
  CHECK_NOTHROW(throw_if_interrupted());
}

TEST_CASE("interrupt: the same request twice is one; a second one ends the process") {
  const auto twice = [](std::chrono::milliseconds pause) {
    return status_of_child([&] {
      const InterruptScope scope;
      std::raise(SIGTERM);
      std::this_thread::sleep_for(pause);
      std::raise(SIGTERM);
      return 7;
    });
  };
  const int at_once = twice(std::chrono::milliseconds(0));
  CHECK((WIFEXITED(at_once) && WEXITSTATUS(at_once) == 7));
  const int later = twice(std::chrono::milliseconds(400));
  CHECK((WIFSIGNALED(later) && WTERMSIG(later) == SIGTERM));
}

TEST_CASE("interrupt: signals are as they were before, afterwards") {
  const int status = status_of_child([] {
    std::signal(SIGTERM, SIG_DFL);
    { const InterruptScope scope; }
    std::raise(SIGTERM);
    return 7;
  });
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM));
}

TEST_CASE("interrupt: what nohup ignores stays ignored, what a script's shell ignores does not") {
  CHECK(status_of_child([] {
          for (const int signal : {SIGHUP, SIGINT}) std::signal(signal, SIG_IGN);
          const InterruptScope scope;
          std::raise(SIGHUP);
          if (interrupting_signal() != 0) return 1;
          std::raise(SIGINT);
          return interrupting_signal() == SIGINT ? 0 : 2;
        }) == 0);
}

TEST_CASE("interrupt: a broken pipe is an error of the call") {
  CHECK(status_of_child([] {
          const InterruptScope scope;
          int ends[2];
          if (pipe(ends) != 0) return 1;
          close(ends[0]);
          return write(ends[1], "x", 1) == -1 && errno == EPIPE ? 0 : 2;
        }) == 0);
}
