// What the graph keeps for backward: that the report finds all of it, once, and no more.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/inspect/recorded_graph.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/activation_checkpoint.h>
#include <weft/core/allocator.h>
#include <weft/tests/catch.h>

#include <set>

using namespace weft;

namespace {

Tensor leaf(std::initializer_list<NestedList> values) {
  return tensor(values, kFloat64).set_requires_grad();
}

}  // namespace

TEST_CASE("what is saved for backward, each storage once") {
  const Tensor x = leaf({1, 2, 3, 4}), w = leaf({5, 6, 7, 8});
  const Tensor h = x * w;       // saves two leaves
  const Tensor e = exp(h);      // saves its result
  const Tensor y = sum(e * h);  // mul saves e, which counts for exp, and h
  const SavedMemory memory = saved_memory(y);
  CHECK(memory.leaf_bytes == 64);
  CHECK(memory.bytes == 64);
  REQUIRE(memory.by_op.size() == 2);
  std::set<std::string> ops{memory.by_op[0].name, memory.by_op[1].name};
  CHECK(ops == std::set<std::string>{"exp", "mul"});
  CHECK(memory.by_op[0].bytes == 32);
  CHECK(memory.by_module.size() == 1);
  CHECK(memory.table().find("saved for backward: 64 bytes, and 64 of leaves\n") == 0);
  y.backward();
  CHECK(saved_memory(y).bytes == 0);
}

TEST_CASE("what is saved of a leaf through views is the leaf's, and known through checkpoint") {
  const Tensor x = tensor({{1, 2}}, kFloat64), w = leaf({{1, 2}, {3, 4}});
  auto f = [&](const Tensor& t) { return matmul(t, slice(transpose(w, 0, 1), 1, 0, 1)); };
  const SavedMemory memory = saved_memory(f(x));
  CHECK(memory.leaf_bytes == 32);
  CHECK(memory.bytes == 16);  // x
  const SavedMemory again = saved_memory(checkpoint(f, x));
  CHECK(again.bytes == 16);
}

namespace {

// What the allocator takes for a storage of so many bytes.
size_t block_size(size_t bytes) {
  size_t capacity = 0;
  void* block = allocate(bytes + kAlignment, capacity);
  deallocate(block, capacity);
  return capacity;
}

// What the graph of `sample` holds in memory beyond inputs, results and what saved_memory knows of.
std::ptrdiff_t unaccounted(const Sample& sample) {
  Tensors inputs;
  for (const Tensor& t : sample.inputs) {
    inputs.push_back(t.strided_view(t.shape(), t.strides()));
    if (is_floating(t.dtype())) inputs.back().set_requires_grad();
  }
  sample.f(inputs);  // what an op keeps for good, it keeps from here on
  const size_t before = allocator_stats().bytes_in_use;
  const Tensors outputs = sample.f(inputs);
  const size_t held = allocator_stats().bytes_in_use - before;
  std::set<const Storage*> known;
  for (const Tensor& t : inputs) known.insert(&t.storage());
  size_t explained = 0;
  auto explain = [&](const Tensor& t) {
    if (known.insert(&t.storage()).second) explained += block_size(t.storage().bytes());
  };
  std::set<const Node*> seen;
  std::vector<const Node*> stack;
  for (const Tensor& y : outputs) {
    explain(y);
    if (y.requires_grad()) stack.push_back(node_of(y));
  }
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!seen.insert(node).second) continue;
    for (const Tensor& t : node->saved()) explain(t);
    for (const Edge& e : node->edges())
      if (e.node) stack.push_back(e.node.get());
  }
  return static_cast<std::ptrdiff_t>(held) - static_cast<std::ptrdiff_t>(explained);
}

}  // namespace

TEST_CASE("no op keeps memory for backward that the report does not see") {
  int samples = 0;
  for (const Op* op : registered_ops()) {
    Samples s;
    op->samples(s);
    for (const Sample& sample : s.samples()) {
      INFO(op->name << "/" << sample.name);
      CHECK(unaccounted(sample) <= 0);  // below 0: saved what there was before
      ++samples;
    }
  }
  CHECK(samples > 200);
}
