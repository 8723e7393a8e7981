// Looking inside: profiles, anomalies, names, pictures of graphs, memory by module.
#include <weft/autograd/graph/samples.h>
#include <weft/core/allocator.h>
#include <weft/tests/catch.h>
#include <weft/weft.h>

#include <algorithm>
#include <limits>
#include <set>
#include <sstream>
#include <thread>

using namespace weft;
using namespace std::chrono_literals;

// With a name that a backtrace can show.
__attribute__((noinline)) Tensor weft_test_takes_logarithm(const Tensor& x) {
  Tensor y = log(x);  // no tail call
  return y;
}

namespace {

// A module, as far as paths go.
class Place : public PathSource {
 public:
  explicit Place(std::string path) : path_(std::move(path)) {}
  virtual ~Place() = default;
  std::string path() const override { return path_; }

 private:
  std::string path_;
};

const Op kHalf{"test_half", [](Samples& s) {
                 s.add("plain", {s.normal({3})}, [](const Tensors& in) {
                   return record(kHalf, in[0].detach() * 0.5, {in[0]},
                                 [](Backward& b) { return b.dy() * 0.5; });
                 });
               }};

template <class Vjp>
Tensor half_with(const Tensor& x, Vjp vjp) {
  return record(kHalf, x.detach() * 0.5, {x}, vjp);
}

Tensor leaf(std::initializer_list<NestedList> values) {
  return tensor(values, kFloat64).set_requires_grad();
}

const Profiler::Row& row_of(const std::vector<Profiler::Row>& rows, const std::string& name) {
  static const Profiler::Row none;
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const Profiler::Row& r) { return r.name == name; });
  return found == rows.end() ? none : *found;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

class Block : public Layer<Block> {
 public:
  explicit Block(Generator gen) : inner_(child<Linear>("inner", 3, 4, gen)) {}
  Tensor forward(const Tensor& x) { return log(inner_(x)); }

 private:
  Linear& inner_;
};

class Model : public Layer<Model> {
 public:
  explicit Model(Generator gen)
      : block_(child<Block>("block", gen)), unused_(child<Linear>("unused", 2, 2, gen)) {}
  Tensor forward(const Tensor& x) { return sum(block_(x)); }

 private:
  Block& block_;
  Linear& unused_;
};

}  // namespace

TEST_CASE("a profile counts calls, forward and backward, recorded or not") {
  const Tensor x = leaf({1, 2, 3});
  Profiler profiler;
  const Tensor y = sum(x * x * x);
  y.backward();
  {
    NoGrad no_grad;
    exp(x);
  }
  const auto rows = profiler.rows();
  CHECK(row_of(rows, "mul").forward_calls == 2);
  CHECK(row_of(rows, "mul").backward_calls == 2);
  CHECK(row_of(rows, "sum").forward_calls == 1);
  CHECK(row_of(rows, "sum").backward_calls == 1);
  CHECK(row_of(rows, "exp").forward_calls == 1);
  CHECK(row_of(rows, "exp").backward_calls == 0);
  CHECK(row_of(rows, "expand").name.empty());  // inside the vjp of sum: that row's time
  CHECK(profiler.table().find("\nmul ") != std::string::npos);
}

TEST_CASE("what an op calls while it computes its value is part of it") {
  const Tensor h = ones({4, 3}).set_requires_grad(), w = ones({5, 3}).set_requires_grad();
  const Tensor target = tensor({0, 1, 2, 3});
  Profiler profiler;
  linear_cross_entropy(h, w, {}, target).backward();
  cross_entropy(h, tensor({0, 1, 2, 0}));
  softmax(transpose(h, 0, 1), 0);
  std::set<std::string> shown;
  for (const auto& row : profiler.rows())
    if (row.forward_calls > 0) shown.insert(row.name);
  CHECK(shown ==
        std::set<std::string>{"cross_entropy", "linear_cross_entropy", "permute", "softmax"});
}

TEST_CASE("a profile counts by the clock that it is given") {
  std::chrono::nanoseconds time{};
  Profiler profiler([&time] { return time += 1ms; });
  const Tensor x = exp(leaf({1, 2}));
  exp(x);
  sum(x).backward();
  CHECK(row_of(profiler.rows(), "exp").forward_ms == 2);
  CHECK(row_of(profiler.rows(), "exp").backward_ms == 1);
}

TEST_CASE("a profile's times go to what took them and add up") {
  const auto start = std::chrono::steady_clock::now();
  Profiler profiler;
  const Tensor x = leaf({1, 2});
  auto slow = [](Backward& b) {
    std::this_thread::sleep_for(20ms);
    return b.dy();
  };
  const Tensor y = sum(half_with(x, slow));
  y.backward();
  {
    const ProfileRegion region("a rest");
    std::this_thread::sleep_for(10ms);
    exp(x);  // counts for the region
  }
  std::this_thread::sleep_for(5ms);
  abs(x);
  const auto rows = profiler.rows();
  const double passed =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  CHECK(rows[0].name == "test_half");
  CHECK(row_of(rows, "test_half").backward_ms >= 20);
  CHECK(row_of(rows, "test_half").forward_ms < 5);
  CHECK(row_of(rows, "(a rest)").forward_ms >= 10);
  CHECK(row_of(rows, "(a rest)").forward_calls == 1);
  CHECK(row_of(rows, "abs").forward_ms >= 5);  // what came before it, too
  CHECK(row_of(rows, "exp").name.empty());
  double total = 0;
  for (const auto& r : rows) total += r.forward_ms + r.backward_ms;
  CHECK(total <= passed);
  CHECK(total >= 35);
}

TEST_CASE("a profile by module; only this thread and only its lifetime count") {
  Model model{Generator(1)};
  {
    Profiler profiler;
    model(rand({2, 3}, *std::make_unique<Generator>(2))).backward();
    std::thread([] { exp(ones({2})); }).join();
    const auto rows = profiler.rows(Profiler::By::module);
    CHECK(row_of(rows, "block.inner").forward_calls == 1);
    CHECK(row_of(rows, "block.inner").backward_calls == 1);
    CHECK(row_of(rows, "block").forward_calls == 1);
    CHECK(row_of(rows, "(the outermost module)").forward_calls == 1);
    CHECK(row_of(profiler.rows(), "exp").name.empty());
  }
  Profiler later;
  CHECK(later.rows().empty());
}

TEST_CASE("an anomaly in forward names op, module, input, element and the place in the program") {
  Model model{Generator(1)};
  const Tensor x = named(leaf({1, 0, 4}), "odds");
  const DetectAnomaly anomaly;
  const std::string message = message_of([&] { weft_test_takes_logarithm(x); });
  CHECK(first_line(message) ==
        "log: the result must be finite; got -inf at [1] of float64 [3] (0 NaN, 1 infinite of 3); "
        "inputs: float64 [3] \"odds\"");
  CHECK(message.find("\ncalled at:\n") != std::string::npos);
  CHECK(message.find("weft_test_takes_logarithm") != std::string::npos);
  NoGrad no_grad;  // nothing is recorded: found all the same
  const std::string inside = message_of([&] { model(ones({1, 3}) * -1000.0); });
  CHECK(first_line(inside).find("log in block: the result must be finite; got nan at [0, ") == 0);
}

TEST_CASE("an anomaly is told of once, where it appears") {
  const double infinity = std::numeric_limits<double>::infinity();
  const DetectAnomaly anomaly;
  const Tensor masked = tensor({0.0, -infinity}, kFloat64) + leaf({1, 2});  // it was there before
  CHECK(softmax(masked, 0).at({1}) == 0);
  CHECK(first_line(message_of([&] { masked - masked; }))
            .find("sub: the result must be finite; got "
                  "nan at [1]") == 0);
  const Tensor columns = transpose(leaf({{1, 2}, {3, 0}}), 0, 1);
  CHECK(first_line(message_of([&] { log(columns); })).find("got -inf at [1, 1]") !=
        std::string::npos);
}

TEST_CASE("an anomaly in backward names the op and where it was recorded") {
  const DetectAnomaly anomaly;
  const Tensor x = leaf({4, 0});
  Tensor root;
  {
    const Place here("encoder.layers.1");
    const ModuleScope scope(here);
    root = named(sqrt(x), "roots");
  }
  const std::string message = message_of([&] { sum(root).backward(); });
  CHECK(first_line(message) ==
        "sqrt \"roots\" in encoder.layers.1: its vjp must return finite gradients; for input 0 got "
        "inf at [1] of float64 [2] (0 NaN, 1 infinite of 2); inputs: float64 [2]");
  CHECK(message.find("\nrecorded at:\n") != std::string::npos);
  CHECK(message.find("weft::sqrt") != std::string::npos);
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a user's vjp that returns NaN, and a NaN from outside, are named in the scope") {
  const Tensor x = leaf({1, 2});
  auto bad = [](Backward& b) { return b.dy() * std::numeric_limits<double>::quiet_NaN(); };
  sum(half_with(x, bad)).backward();  // outside of the scope nothing is said
  const Tensor before = half_with(x, bad);
  const DetectAnomaly anomaly;
  CHECK(first_line(message_of([&] { sum(half_with(x, bad)).backward(); })) ==
        "test_half: its vjp must return finite gradients; for input 0 got nan at [0] of float64 "
        "[2] (2 NaN, 0 infinite of 2); inputs: float64 [2]");
  CHECK(message_of([&] { sum(before).backward(); }).find("before DetectAnomaly began") !=
        std::string::npos);
  CHECK(first_line(message_of([&] {
          (x * 1.0).backward(full({2}, std::numeric_limits<double>::quiet_NaN(), kFloat64));
        })).find("mul: the gradient of its result must be finite; got nan at [0]") == 0);
  CHECK(message_of([&] { sum(x * x).backward(); }).empty());
}

TEST_CASE("an anomaly in second order names the module, the shapes and where it was recorded") {
  const DetectAnomaly anomaly;
  const Place here("encoder");
  const Tensor x = leaf({4, 0});
  Tensor y;
  {
    const ModuleScope scope(here);
    y = sum(pow(x, 1.5));
  }
  const Tensor first = grad(y, x, {.create_graph = true});  // 1.5 x^0.5
  const std::string message = message_of([&] { sum(first).backward(); });
  CHECK(first_line(message) ==
        "pow_slope in encoder: its vjp must return finite gradients; for input 1 got inf at [1] of "
        "float64 [2] (0 NaN, 1 infinite of 2); inputs: float64 [2], float64 [2], float64 []");
  CHECK(message.find("\nrecorded at:\n") != std::string::npos);
  CHECK(message.find("weft::pow") != std::string::npos);
  CHECK(message.find("weft::grad") != std::string::npos);
}

TEST_CASE("names show in messages and are fetched with gradients") {
  const Tensor x = leaf({1, 2});
  const Intermediates seen({"squares"});
  const Tensor y = named(x * x, "squares");
  named(y * 2.0, "others");
  sum(y * 3.0).backward();
  CHECK(seen.all().size() == 1);
  CHECK(seen["squares"].same_handle(y));
  CHECK(seen["squares"].grad().to_vector<double>() == std::vector<double>{3, 3});
  CHECK(message_of([&] { seen["other"]; }) ==
        "intermediates: there is no \"other\"; seen: others, squares; nearest: others, squares");
  CHECK(message_of([&] { seen["others"]; }) ==
        "intermediates: \"others\" was seen, but not asked for");
  CHECK(message_of([] { Intermediates()["x"]; }) == "intermediates: there is no \"x\"; seen: none");
  CHECK(message_of([] { named(Tensor(), "x"); }) == "named: the tensor \"x\" is undefined");
  NoGrad no_grad;
  named(x * x, "squares");
  CHECK(seen.all().size() == 2);
  CHECK_FALSE(seen["squares"].requires_grad());
}

TEST_CASE("a retained gradient of a recorded pass can be let go, and Intermediates lets go") {
  const size_t before = allocator_stats().bytes_in_use;
  {
    const Tensor x = leaf({1, 2});
    Tensor y = x * x, z;
    y.retain_grad();
    grad(sum(y * y), x, {.create_graph = true});
    CHECK(y.grad().requires_grad());
    y.set_grad({});
    CHECK_FALSE(y.grad().defined());
    {
      const Intermediates seen;
      z = named(x * x, "squares");
      grad(sum(z * z), x, {.create_graph = true});
      CHECK(seen["squares"].grad().requires_grad());
    }
    CHECK(z.grad().to_vector<double>() == std::vector<double>{2, 8});
    CHECK_FALSE(z.grad().requires_grad());
  }
  CHECK(allocator_stats().bytes_in_use == before);
}

TEST_CASE(
    "attention's scores and weights are fetched by path, with gradients, and change nothing") {
  Generator gen(3);
  TransformerDecoderLayer layer(
      {.d_model = 8, .nhead = 2, .dim_feedforward = 16, .dropout = 0, .batch_first = true}, gen);
  const Tensor x = randn({1, 3, 8}, gen), memory = randn({1, 5, 8}, gen);
  const Tensor plain = layer(x, memory);
  Intermediates seen({"multihead_attn.weights", "multihead_attn.scores"});
  const Tensor y = layer(x, memory);
  CHECK(max(abs(y - plain)).item() < 1e-5);
  sum(y * y).backward();
  CHECK(seen.all().size() == 2);
  const Tensor weights = seen["multihead_attn.weights"];
  CHECK(weights.shape() == Shape{1, 2, 3, 5});
  CHECK(weights.grad().shape() == Shape{1, 2, 3, 5});
  // The gradient of a softmax: ds = a (da - sum a da).
  const Tensor a = weights.detach(), da = weights.grad(), ds = a * (da - sum(a * da, {-1}, true));
  CHECK(max(abs(ds - seen["multihead_attn.scores"].grad())).item() < 1e-5);
}

TEST_CASE("messages name the op with its module, and the tensor") {
  Model model{Generator(1)};
  Tensor x = named(ones({2, 3}).set_requires_grad(), "features");
  const Tensor y = model(x);
  x.mutable_data<float>("the test")[0] = 2;
  CHECK(message_of([&] { y.backward(); }) ==
        "linear in block.inner: a tensor \"features\" of shape [2, 3] that its backward needs was "
        "changed in place by the test (version 2, saved at 1); clone it first, or change it after "
        "backward");
}

TEST_CASE("a graph as DOT") {
  Model model{Generator(1)};
  std::ostringstream out;
  dump_graph(model(named(ones({2, 3}).set_requires_grad(), "input")), out,
             model.named_parameters());
  const std::string dot = out.str();
  CHECK(dot.find("digraph weft {\n") == 0);
  CHECK(dot.find("label=\"leaf\\ninput float32 [2, 3]\"") != std::string::npos);
  CHECK(dot.find("label=\"block.inner.weight\\nfloat32 [4, 3]\", shape=ellipse") !=
        std::string::npos);
  CHECK(dot.find("label=\"block.inner\";") != std::string::npos);
  CHECK(dot.find("label=\"log\\nfloat32 [2, 4]\\nsaves 32 bytes\", shape=box") !=
        std::string::npos);
  CHECK(dot.find("unused") == std::string::npos);
  const Place odd("a \"b\" \\N\nü");
  const ModuleScope scope(odd);
  std::ostringstream escaped;
  dump_graph(named(exp(leaf({1})), odd.path()), escaped);
  CHECK(escaped.str().find("label=\"a \\\"b\\\" \\\\N\\nü\";") != std::string::npos);
  CHECK(escaped.str().find("label=\"exp\\na \\\"b\\\" \\\\N\\nü float64 [1]") != std::string::npos);
  CHECK(std::count(dot.begin(), dot.end(), '>') == 5);
  CHECK(message_of([&] { dump_graph(ones({1}), out); }) ==
        "dump_graph: the tensor does not depend on any tensor that requires a gradient");
}

TEST_CASE("memory by module") {
  Model model{Generator(1)};
  const SavedMemory memory = saved_memory(model(ones({2, 3})));
  REQUIRE(memory.by_module.size() == 2);
  CHECK(memory.by_module[0].name == "block");  // log keeps its input
  CHECK(memory.by_module[0].bytes == 32);
  CHECK(memory.by_module[1].name == "block.inner");  // linear keeps its input
  CHECK(memory.by_module[1].bytes == 24);
  CHECK(memory.leaf_bytes == 48);
}

TEST_CASE("parameters that no gradient reaches") {
  Model model{Generator(1)};
  std::vector<std::string> names;
  for (const NamedTensor& t : unreached(model(ones({2, 3})), model.named_parameters()))
    names.push_back(t.name);
  CHECK(names == std::vector<std::string>{"unused.weight", "unused.bias"});
}
