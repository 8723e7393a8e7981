#include <fmt/format.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/thread_state.h>
#include <weft/autograd/inspect/profiler.h>

#include <algorithm>
#include <utility>

namespace weft {
namespace {

double milliseconds(Profiler::Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

double total(const Profiler::Row& row) { return row.forward_ms + row.backward_ms; }

std::string row_name(const char* name, const std::string* path, bool region, Profiler::By by) {
  if (region) return fmt::format("({})", name);
  if (by == Profiler::By::op) return name;
  return !path ? "(outside of modules)" : path->empty() ? "(the outermost module)" : *path;
}

}  // namespace

Profiler::Profiler(std::function<Duration()> clock) : clock_(std::move(clock)), last_(clock_()) {}

Profiler::Duration Profiler::wall_time() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

Profiler::Duration Profiler::lap() {
  const Duration now = clock_();
  return now - std::exchange(last_, now);
}

void Profiler::charge_between() {
  const char* name = backward_depth_ > 0 ? "between vjps" : "between ops";
  costs_[{name, nullptr, true}].forward += lap();
}

void Profiler::op_ran(const Op& op, std::span<const Tensor>, std::span<const Tensor>) {
  if (region_depth_ > 0) return;
  Cost& cost = costs_[{op.name, detail::thread_state.path, false}];
  cost.forward += lap();
  ++cost.forward_calls;
}

void Profiler::backward_began() {
  if (detail::thread_state.inside_op || region_depth_ > 0) return;
  charge_between();
  ++backward_depth_;
}

void Profiler::backward_ended() {
  if (detail::thread_state.inside_op || region_depth_ > 0 || backward_depth_ == 0) return;
  charge_between();
  --backward_depth_;
}

void Profiler::vjp_begins(const Node&, std::span<const Tensor>) {
  if (!detail::thread_state.inside_op && region_depth_ == 0) charge_between();
}

void Profiler::vjp_ended(const Node& node, std::span<const Tensor>) {
  if (detail::thread_state.inside_op || region_depth_ > 0) return;
  Cost& cost = costs_[{node.name(), node.path(), false}];
  cost.backward += lap();
  ++cost.backward_calls;
}

void Profiler::module_crossed() {
  if (!detail::thread_state.inside_op && region_depth_ == 0) charge_between();
}

void Profiler::region_began(const char*) {
  if (detail::thread_state.inside_op) return;
  if (region_depth_++ == 0) charge_between();
}

// A region may have begun before the profiler did.
void Profiler::region_ended(const char* name) {
  if (detail::thread_state.inside_op || region_depth_ == 0 || --region_depth_ > 0) return;
  Cost& cost = costs_[{name, nullptr, true}];
  cost.forward += lap();
  ++cost.forward_calls;
}

std::vector<Profiler::Row> Profiler::rows(By by) const {
  std::map<std::string, Row> merged;
  for (const auto& [key, cost] : costs_) {
    const std::string name = row_name(key.name, key.path, key.region, by);
    Row& row = merged[name];
    row.name = name;
    row.forward_ms += milliseconds(cost.forward);
    row.backward_ms += milliseconds(cost.backward);
    row.forward_calls += cost.forward_calls;
    row.backward_calls += cost.backward_calls;
  }
  std::vector<Row> sorted;
  for (auto& entry : merged) sorted.push_back(std::move(entry.second));
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Row& a, const Row& b) { return total(a) > total(b); });
  return sorted;
}

std::string Profiler::table(By by) const {
  const std::vector<Row> all = rows(by);
  double sum = 0;
  size_t width = 24;
  for (const Row& row : all) {
    sum += total(row);
    width = std::max(width, row.name.size());
  }
  std::string text = fmt::format("{:<{}}  {:>10}  {:>7}  {:>11}  {:>7}  {:>10}  {:>6}\n",
                                 by == By::op ? "op" : "module", width, "forward ms", "calls",
                                 "backward ms", "calls", "total ms", "share");
  for (const Row& row : all)
    text += fmt::format("{:<{}}  {:>10.3f}  {:>7}  {:>11.3f}  {:>7}  {:>10.3f}  {:>4.1f} %\n",
                        row.name, width, row.forward_ms, row.forward_calls, row.backward_ms,
                        row.backward_calls, total(row), sum > 0 ? 100 * total(row) / sum : 0.0);
  return text + fmt::format("{:<{}}  {:>54.3f}\n", "total", width, sum);
}

ProfileRegion::ProfileRegion(const char* name) : name_(name) {
  if (detail::thread_state.observers) [[unlikely]]
    detail::notify_region(name_, true);
}

ProfileRegion::~ProfileRegion() {
  if (detail::thread_state.observers) [[unlikely]]
    detail::notify_region(name_, false);
}

}  // namespace weft
