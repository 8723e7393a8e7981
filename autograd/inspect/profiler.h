// Where the time of a program goes, by op and by module.
//
//   Profiler profiler;
//   train();
//   std::cout << profiler.table();
//
// What the numbers mean. The clock is read when an op has run, and the time since it was last read
// is that op's. So an op's forward time begins where the op before it (or the entry into a module,
// a pass of backward, a region) ended: it covers the op's kernels and memory, and whatever the
// program did in between. What an op calls while it computes its value (in an OpScope) is part of
// it; a function made of several ops shows as those. Backward time is that of the op's vjp, all
// that it calls included. Sums of gradients, hooks and the search for what comes next stand under
// "(between vjps)", and what happens outside of all this under
// "(between ops)".
#pragma once

#include <weft/autograd/graph/observer.h>

#include <chrono>
#include <compare>
#include <functional>
#include <map>

namespace weft {

/// Measures what this thread does while it lives. Ops count whether they are recorded or not.
class Profiler : public Observer {
 public:
  enum class By { op, module };

  struct Row {
    std::string name;  ///< an op, a module's path, or a region in parentheses
    double forward_ms = 0, backward_ms = 0;
    int64_t forward_calls = 0, backward_calls = 0;
  };

  using Duration = std::chrono::nanoseconds;

  /// `clock` tells the time since some moment, by default wall time. Another one makes a profile of
  /// what it counts.
  explicit Profiler(std::function<Duration()> clock = wall_time);

  /// What took the most time first.
  std::vector<Row> rows(By by = By::op) const;
  /// The same as text, a line per row.
  std::string table(By by = By::op) const;

  void op_ran(const Op& op, std::span<const Tensor> outputs,
              std::span<const Tensor> inputs) override;
  void backward_began() override;
  void backward_ended() override;
  void vjp_begins(const Node& node, std::span<const Tensor> dy) override;
  void vjp_ended(const Node& node, std::span<const Tensor> dx) override;
  void module_crossed() override;
  void region_began(const char* name) override;
  void region_ended(const char* name) override;

 private:
  struct Key {
    const char* name;         // a literal
    const std::string* path;  // interned, or null
    bool region;
    auto operator<=>(const Key&) const = default;
  };
  struct Cost {
    Duration forward{}, backward{};
    int64_t forward_calls = 0, backward_calls = 0;
  };

  static Duration wall_time();
  Duration lap();
  void charge_between();

  std::map<Key, Cost> costs_;
  std::function<Duration()> clock_;
  Duration last_;
  int backward_depth_ = 0, region_depth_ = 0;
};

/// Gives what this thread does in a scope a line of its own in profiles, instead of the ops in it.
class ProfileRegion {
 public:
  /// `name` is a literal.
  explicit ProfileRegion(const char* name);
  ~ProfileRegion();
  ProfileRegion(const ProfileRegion&) = delete;
  ProfileRegion& operator=(const ProfileRegion&) = delete;

 private:
  const char* name_;
};

}  // namespace weft
