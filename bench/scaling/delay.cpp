// Cables with a delay: joins pairs of TAP devices in two network namespaces, and hands each
// Ethernet frame on a fixed time after it came in.
//   delay MILLISECONDS NAMESPACE DEVICE NAMESPACE DEVICE [NAMESPACE DEVICE NAMESPACE DEVICE ...]
// Namespaces are those of `ip netns`; each four arguments are one cable, whose devices must exist.
// Linux alone, for root. One thread carries all frames.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kLargestFrame = 1518;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

void enter(const std::string& name) {
  const std::string path = "/var/run/netns/" + name;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) fail("network namespace " + name);
  close(fd);
}

int open_tap(const std::string& name, const std::string& device) {
  enter(name);
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail("/dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(fd, TUNSETIFF, &request) != 0) fail("device " + device + " of " + name);
  return fd;
}

struct Frame {
  Clock::time_point due;
  int to;
  size_t size;
  std::array<char, kLargestFrame> bytes;
};

class Cables {
 public:
  Cables(std::vector<int> ends, Clock::duration delay) : ends_(std::move(ends)), delay_(delay) {
    for (const int fd : ends_) waiting_.push_back({fd, POLLIN, 0});
  }

  void carry() {
    while (true) {
      wait();
      for (size_t i = 0; i < ends_.size(); ++i)
        if (waiting_[i].revents != 0) take(ends_[i], ends_[i ^ 1]);
      hand_on();
    }
  }

 private:
  // The delay is one for all: the first that came is the first due.
  void wait() {
    timespec time{1, 0};
    if (!frames_.empty()) {
      const auto left =
          std::chrono::duration_cast<std::chrono::nanoseconds>(frames_.front().due - Clock::now());
      time = {0, std::clamp<int64_t>(left.count(), 0, 999'999'999)};
    }
    if (ppoll(waiting_.data(), waiting_.size(), &time, nullptr) < 0 && errno != EINTR) fail("poll");
  }

  void take(int from, int to) {
    for (int n = 0; n < 64; ++n) {
      Frame& frame = frames_.emplace_back();
      const ssize_t size = read(from, frame.bytes.data(), frame.bytes.size());
      if (size <= 0) {
        frames_.pop_back();
        return;
      }
      frame.due = Clock::now() + delay_;
      frame.to = to;
      frame.size = static_cast<size_t>(size);
    }
  }

  // What the other end has no room for is lost, as on any network.
  void hand_on() {
    for (const auto now = Clock::now(); !frames_.empty() && frames_.front().due <= now;
         frames_.pop_front()) {
      const Frame& frame = frames_.front();
      if (write(frame.to, frame.bytes.data(), frame.size) < 0 && errno == EBADFD) fail("device");
    }
  }

  std::vector<int> ends_;  // cable i is from 2i to 2i + 1
  Clock::duration delay_;
  std::vector<pollfd> waiting_;
  std::deque<Frame> frames_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6 || argc % 4 != 2) {
    std::fprintf(stderr, "usage: delay MILLISECONDS NAMESPACE DEVICE NAMESPACE DEVICE ...\n");
    return 2;
  }
  try {
    std::vector<int> ends;
    for (int i = 2; i < argc; i += 2) ends.push_back(open_tap(argv[i], argv[i + 1]));
    const auto delay = std::chrono::duration<double, std::milli>(std::atof(argv[1]));
    std::puts("ready");
    std::fflush(stdout);
    Cables(ends, std::chrono::duration_cast<Clock::duration>(delay)).carry();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "delay: %s\n", e.what());
  }
  return 1;
}
