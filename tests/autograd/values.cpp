// What ops give on other input than plain numbers: NaN and infinities, integers and booleans, mixed
// dtypes, ties, nothing at all; and what the fused ops promise beyond their gradients.
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/core/allocator.h>
#include <weft/core/parallel.h>
#include <weft/tests/catch.h>

#include <cmath>

using namespace weft;
using Numbers = std::vector<double>;
using Flags = std::vector<bool>;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }
Flags flags(const Tensor& t) { return t.to_vector<bool>(); }
Flags is_nan(const Tensor& t) { return flags(ne(t, t)); }
Tensor reals(std::initializer_list<NestedList> v) { return tensor(v, kFloat64); }

// The values of f at 1, 2 and 3 threads, which must be the same bits.
template <class F>
std::vector<float> same_at_any_threads(F f) {
  const int before = num_threads();
  set_num_threads(1);
  std::vector<float> one = f();
  for (int n : {2, 3}) {
    set_num_threads(n);
    CHECK(f() == one);
  }
  set_num_threads(before);
  return one;
}

}  // namespace

TEST_CASE("operands of different dtypes are promoted") {
  const Tensor flag = tensor({true, false}), whole = tensor({1, 2}), real = tensor({0.5, 1.5});
  CHECK((flag + whole).dtype() == kInt64);
  CHECK(numbers(flag + whole) == Numbers{2, 2});
  CHECK((whole * real).dtype() == kFloat32);
  CHECK((real + to(real, kFloat64)).dtype() == kFloat64);
  CHECK(where(flag, whole, real).dtype() == kFloat32);
  CHECK(cat({whole, real}, 0).dtype() == kFloat32);
  CHECK((whole * 2.0).dtype() == kInt64);
  CHECK((whole * 0.5).dtype() == kFloat32);
  CHECK((whole * 0x1p62).dtype() == kInt64);
  CHECK((whole * 0x1p63).dtype() == kFloat32);  // no int64 is that large
  CHECK(message_of([&] { flag + flag; }) ==
        "add: arithmetic on bool tensors is not defined; convert with to(x, kInt64)");
}

TEST_CASE("integers: division is true division, powers and sums stay whole") {
  const Tensor x = tensor({7, -7, 0});
  CHECK((x / tensor({2, 2, 2})).dtype() == kFloat32);
  CHECK(numbers(x / tensor({2, 2, 2})) == Numbers{3.5, -3.5, 0});
  CHECK(numbers(x / 2) == Numbers{3.5, -3.5, 0});
  CHECK((x / 1).dtype() == kFloat32);
  CHECK(numbers(1 / tensor({2, -4})) == Numbers{0.5, -0.25});
  CHECK(clamp(x, 0).dtype() == kInt64);
  CHECK(clamp(x, -kInf, 5).dtype() == kInt64);
  CHECK(numbers(clamp(x, 0)) == Numbers{7, 0, 0});
  CHECK((x * kInf).dtype() == kFloat32);
  CHECK(numbers(pow(x, tensor({2, 3, 0}))) == Numbers{49, -343, 1});
  CHECK(sum(x).dtype() == kInt64);
  CHECK(sum(tensor({true, true, false})).item<int64_t>() == 2);
  CHECK(numbers(maximum(x, tensor({0, 0, 1}))) == Numbers{7, 0, 1});
  CHECK(max(x).item<int64_t>() == 7);
  const int64_t big = int64_t{1} << 62;
  CHECK((tensor({big}) + tensor({int64_t{1}})).item<int64_t>() != 0);
  CHECK(message_of([&] { mean(x); }) == "mean: expected a floating dtype; got int64");
  CHECK(message_of([&] { exp(x); }) == "exp: expected a floating dtype; got int64");
}

TEST_CASE("large integers keep every bit") {
  const int64_t big = (int64_t{1} << 53) + 1;  // not a double
  const Tensor x = from_vector<int64_t>({big, big - 1}, {2});
  CHECK((x + from_vector<int64_t>({1, 1}, {2})).to_vector<int64_t>() ==
        std::vector<int64_t>{big + 1, big});
  CHECK(max(x).to_vector<int64_t>() == std::vector<int64_t>{big});
  CHECK(flags(eq(x, from_vector<int64_t>({big - 1, big - 1}, {2}))) == Flags{false, true});
}

TEST_CASE("NaN is never swallowed") {
  const Tensor x = reals({1, kNan, 3}), y = reals({kNan, 2, 2});
  for (const Tensor& t : {maximum(x, y), minimum(x, y), maximum(y, x), minimum(y, x)})
    CHECK(is_nan(t) == Flags{true, true, false});
  CHECK(is_nan(clamp(x, 0, 2)) == Flags{false, true, false});
  CHECK(is_nan(relu(x)) == Flags{false, true, false});
  CHECK(is_nan(to(relu(to(x, kFloat32)), kFloat64)) == Flags{false, true, false});
  CHECK(std::isnan(max(x).item()));
  CHECK(std::isnan(min(x).item()));
  CHECK(argmax(x, 0).item<int64_t>() == 1);
  CHECK(is_nan(softmax(x, 0)) == Flags{true, true, true});
  CHECK(is_nan(softmax(to(x, kFloat32), 0)) == Flags{true, true, true});
  CHECK(std::isnan(logsumexp(x, {0}).item()));
}

TEST_CASE("comparisons with NaN, infinities, and across dtypes") {
  const Tensor x = reals({1, kNan, kInf, -kInf}), y = reals({1, kNan, kInf, 0});
  CHECK(flags(eq(x, y)) == Flags{true, false, true, false});
  CHECK(flags(ne(x, y)) == Flags{false, true, false, true});
  CHECK(flags(lt(x, y)) == Flags{false, false, false, true});
  CHECK(flags(ge(x, y)) == Flags{true, false, true, false});
  CHECK(flags(gt(tensor({1, 2}), 1.5)) == Flags{false, true});
  CHECK(flags(eq(tensor({true, false}), 1)) == Flags{true, false});
  CHECK(flags(le(tensor({{1}, {2}}), tensor({1, 2}))) == Flags{true, true, false, true});
  CHECK(eq(x, y).dtype() == kBool);
  CHECK_FALSE(eq(Tensor(x).set_requires_grad(), y).requires_grad());
}

TEST_CASE("logic takes any dtype as true where it is not zero") {
  const Tensor a = tensor({0, 2, 0, 3}), b = reals({0, 0, 0.5, kNan});
  CHECK(flags(logical_and(a, b)) == Flags{false, false, false, true});
  CHECK(flags(logical_or(a, b)) == Flags{false, true, true, true});
  CHECK(flags(logical_not(a)) == Flags{true, false, true, false});
}

TEST_CASE("masked_fill and where hide what they cover, in value and gradient") {
  const Tensor x = reals({1, kNan}).set_requires_grad(), hide = tensor({false, true});
  const Tensor y = masked_fill(x, hide, -5);
  CHECK(numbers(y) == Numbers{1, -5});
  sum(y * y).backward();
  CHECK(numbers(x.grad()) == Numbers{2, 0});
}

TEST_CASE("triangles cover what they cut off, NaN too") {
  const Tensor x = reals({{1, kNan}, {2, 3}});
  CHECK(numbers(tril(x)) == Numbers{1, 0, 2, 3});
  CHECK(numbers(triu(reals({{1, 2}, {kNan, 3}}))) == Numbers{1, 2, 0, 3});
}

TEST_CASE("division by zero, roots and logarithms of what has none") {
  CHECK(numbers(reals({1, -1}) / reals({0, 0})) == Numbers{kInf, -kInf});
  CHECK(is_nan(reals({0}) / reals({0})) == Flags{true});
  CHECK(is_nan(sqrt(reals({-1, 0}))) == Flags{true, false});
  CHECK(numbers(log(reals({0}))) == Numbers{-kInf});
  CHECK(numbers(rsqrt(reals({0}))) == Numbers{kInf});
}

TEST_CASE("activations far from zero") {
  const Tensor x = reals({-1000, 1000});
  for (DType dtype : {kFloat32, kFloat64}) {
    const Tensor t = to(x, dtype);
    CHECK(numbers(sigmoid(t)) == Numbers{0, 1});
    CHECK(numbers(tanh(t)) == Numbers{-1, 1});
    CHECK(numbers(softplus(t)) == Numbers{0, 1000});
    CHECK(numbers(abs(silu(t))) == Numbers{0, 1000});
    CHECK(numbers(abs(gelu(t))) == Numbers{0, 1000});
    CHECK(numbers(abs(gelu(t, Gelu::tanh))) == Numbers{0, 1000});
  }
}

TEST_CASE("reductions of nothing") {
  const Tensor none = zeros({0, 2}, kFloat64);
  CHECK(numbers(sum(none, {0})) == Numbers{0, 0});
  CHECK(sum(none).item() == 0);
  CHECK(std::isnan(mean(none).item()));
  CHECK(std::isnan(var(reals({1})).item()));
  CHECK(logsumexp(none, {0}).shape() == Shape{2});
  CHECK(message_of([&] { max(none); }) ==
        "max: needs at least one element; got shape [0, 2] and dims []");
  CHECK(message_of([] {
          argmax(zeros({2, 0}), 1);
        }) == "argmax: needs at least one element; got shape [2, 0] and dim 1");
}

TEST_CASE("logsumexp with infinities") {
  CHECK(logsumexp(reals({kInf, 0}), {0}).item() == kInf);
  const Tensor x = reals({{-kInf, -kInf}, {-kInf, 0}}).set_requires_grad();
  const Tensor y = logsumexp(x, {1});
  CHECK(numbers(y) == Numbers{-kInf, 0});
  sum(y).backward();
  CHECK(numbers(x.grad()) == Numbers{0, 0, 0, 1});
}

TEST_CASE("ties: the first index, and equal shares of the gradient") {
  const Tensor x = reals({{1, 3, 3}, {2, 2, 2}}).set_requires_grad();
  CHECK(argmax(x, 1).to_vector<int64_t>() == std::vector<int64_t>{1, 0});
  CHECK(argmax(slice(x, 0, 0, 1), 0).to_vector<int64_t>() == std::vector<int64_t>{0, 0, 0});
  sum(max(x, {1}) * reals({1, 3})).backward();
  CHECK(numbers(x.grad()) == Numbers{0, 0.5, 0.5, 1, 1, 1});
  const Tensor a = reals({2}).set_requires_grad(), b = reals({2}).set_requires_grad();
  maximum(a, b).backward();
  CHECK(a.grad().item() == 0.5);
  CHECK(b.grad().item() == 0.5);
}

TEST_CASE("subgradients at kinks") {
  const Tensor x = reals({-1, 0, 1}).set_requires_grad();
  auto slope = [&](const Tensor& y) { return numbers(grad(sum(y), x)); };
  CHECK(slope(relu(x)) == Numbers{0, 0, 1});
  CHECK(slope(abs(x)) == Numbers{-1, 0, 1});
  CHECK(slope(clamp(x, -1, 0)) == Numbers{1, 1, 0});
}

TEST_CASE("a power of zero has a finite slope") {
  const Tensor a = reals({0, 0, 2}).set_requires_grad(), b = reals({0, 2, 0}).set_requires_grad();
  const Tensors d = grad({sum(pow(a, b))}, {a, b}, {.create_graph = true});
  CHECK(numbers(d[0]) == Numbers{0, 0, 0});
  CHECK(numbers(d[1]) == Numbers{0, 0, std::log(2.0)});
  CHECK(numbers(grad(sum(d[0]), b)) == Numbers{0, 0, 0.5});
}

TEST_CASE("unsqueeze gives the strides of a row-major tensor where it can") {
  CHECK(unsqueeze(zeros({2, 3}), 0).strides() == Shape{6, 3, 1});
  CHECK(unsqueeze(zeros({2, 3}), 1).strides() == Shape{3, 3, 1});
  CHECK(unsqueeze(zeros({2, 3}), -1).strides() == Shape{3, 1, 1});
}

TEST_CASE("broadcasting sizes of 0 and 1") {
  CHECK((zeros({0}) + zeros({1})).shape() == Shape{0});
  CHECK((zeros({2, 0}) + zeros({2, 1})).shape() == Shape{2, 0});
  CHECK((zeros({1}) + scalar(1)).shape() == Shape{1});
  CHECK(message_of([] { zeros({0}) + zeros({2}); }) ==
        "add: shapes do not broadcast; got [0] and [2]");
}

TEST_CASE("reshape joins dims across one of size 1, whatever its stride") {
  const Tensor x = slice(zeros({2, 3, 4}), 2, 0, 2);
  CHECK(reshape(transpose(unsqueeze(x, 0), 0, 1), {6, 2}).same_storage(x));
}

TEST_CASE("views share storage, copies do not") {
  const Tensor x = reals({{1, 2, 3}, {4, 5, 6}});
  for (const Tensor& v : {reshape(x, {3, 2}), permute(x, {1, 0}), transpose(x, 0, 1),
                          unsqueeze(x, 0), expand(x, {2, 2, 3}), slice(x, 1, 1), select(x, 0, 1)})
    CHECK(v.same_storage(x));
  CHECK_FALSE(reshape(transpose(x, 0, 1), {6}).same_storage(x));
  const Tensor cut = reshape(slice(x, 1, 1), {2, 1, 2, 1});  // strides can say this
  CHECK(cut.same_storage(x));
  CHECK(numbers(cut) == Numbers{2, 3, 5, 6});
  CHECK_FALSE(clone(x).same_storage(x));
  CHECK(contiguous(x).same_handle(x));
  CHECK(numbers(transpose(x, 0, 1)) == Numbers{1, 4, 2, 5, 3, 6});
  CHECK(numbers(slice(x, 1, -2, -1)) == Numbers{2, 5});
  CHECK(slice(x, 1, 2, 1).shape() == Shape{2, 0});
  CHECK(numbers(slice(x, 1, 0, 3, 2)) == Numbers{1, 3, 4, 6});
  CHECK(numbers(slice(x, 1, 1, 3, 2)) == Numbers{2, 5});
  CHECK(slice(x, 0, 0, 2, 2).same_storage(x));
  const Tensors parts = split(x, 2, 1);
  CHECK(parts.size() == 2);
  CHECK(parts[1].same_storage(x));
  CHECK(numbers(parts[1]) == Numbers{3, 6});
}

TEST_CASE("what int64 cannot hold becomes the nearest that it can, and NaN 0") {
  const Tensor x = tensor({std::nan(""), INFINITY, -INFINITY, 1e30, -2.9, 3.0});
  const auto whole = to(x, kInt64).to_vector<int64_t>();
  CHECK(whole[0] == 0);
  CHECK(whole[1] == std::numeric_limits<int64_t>::max());
  CHECK(whole[2] == std::numeric_limits<int64_t>::min());
  CHECK(whole[3] == std::numeric_limits<int64_t>::max());
  CHECK(whole[4] == -2);
  CHECK(whole[5] == 3);
}

TEST_CASE("split into more parts than a tensor has dims") {
  const Tensor x = arange(100);
  CHECK(split(x, 1, 0).size() == 100);
  CHECK(split(x, std::vector<int64_t>(50, 2), 0)[49].to_vector<int64_t>() ==
        std::vector<int64_t>{98, 99});
}

TEST_CASE("gradients in one storage that are not a split's parts are joined as any") {
  const Tensor x = reals({{1, 2}, {3, 4}}).set_requires_grad(), dy = reals({{5, 6}, {7, 8}});
  auto joined = [&](const Tensor& a, const Tensor& b) {
    return numbers(grad(split(x, 1, 0), {x}, {{a, b}})[0]);
  };
  const Tensor first = slice(dy, 0, 0, 1), second = slice(dy, 0, 1, 2);
  CHECK(joined(first, second) == Numbers{5, 6, 7, 8});
  CHECK(joined(second, first) == Numbers{7, 8, 5, 6});
  const Tensor still = expand(slice(second, 1, 0, 1), {1, 2});
  CHECK(joined(first, still) == Numbers{5, 6, 7, 7});
}

TEST_CASE("dropout: one key, one mask, whatever the layout") {
  Generator g(1);
  const Tensor x = randn({400, 500}, g), t = transpose(x, 0, 1);
  const RandomKey key{7, 0};
  CHECK(dropout(t, 0.3, key).to_vector<float>() ==
        dropout(contiguous(t), 0.3, key).to_vector<float>());
  CHECK(dropout(x, 0, key).same_handle(x));
  same_at_any_threads([&] { return dropout(x, 0.3, key).to_vector<float>(); });
  const Tensor kept = dropout(ones({400, 500}), 0.3, key);
  CHECK(mean(to(ne(kept, 0), kFloat32)).item() == Approx(0.7).margin(0.005));
  CHECK(max(kept).item() == Approx(1 / 0.7));
  const Tensor other = dropout(ones({400, 500}), 0.3, {8, 0});
  CHECK(mean(to(logical_and(ne(kept, 0), ne(other, 0)), kFloat32)).item() ==
        Approx(0.49).margin(0.005));
}

TEST_CASE("embedding: padding gets no gradient, and any number of threads the same bits") {
  const Tensor w = ones({4, 2}, kFloat64).set_requires_grad();
  sum(embedding(tensor({{1, 0, 1}, {3, 1, 0}}), w, -4)).backward();
  CHECK(numbers(w.grad()) == Numbers{0, 0, 3, 3, 0, 0, 1, 1});
  Generator g(1);
  const Tensor ids = randint(20, {1000}, g), table = randn({20, 300}, g).set_requires_grad(),
               dy = randn({1000, 300}, g);
  same_at_any_threads([&] {
    return grad(embedding(ids, table), table, {.grad_outputs = {dy}}).to_vector<float>();
  });
}

TEST_CASE("cross_entropy of a batch in which nothing counts is 0, with gradient 0") {
  const Tensor x = reals({{1, 2}, {3, kNan}}).set_requires_grad();
  const Tensor y = cross_entropy(x, tensor({-100, -100}));
  CHECK(y.item() == 0);
  y.backward();
  CHECK(numbers(x.grad()) == Numbers{0, 0, 0, 0});
}

TEST_CASE("class weights that were changed in place are an error where they are needed again") {
  Tensor weight = ones({2});
  const Tensor loss =
      cross_entropy(reals({0.5, -0.5}).set_requires_grad(), scalar(1, kInt64), {.weight = weight});
  weight.mutable_data<float>("me")[0] = 2;
  CHECK(message_of([&] {
          loss.backward({}, {.create_graph = true});
        }).find("cross_entropy: a tensor of shape [2] ") == 0);
}

TEST_CASE("cross_entropy leaves the logits alone") {
  const Tensor x = reals({{1, 2}, {3, 4}}).set_requires_grad();
  cross_entropy(x, tensor({0, 1})).backward();
  CHECK(numbers(x) == Numbers{1, 2, 3, 4});
}

TEST_CASE("linear_cross_entropy on many blocks equals linear and cross_entropy") {
  Generator g(1);
  const int64_t rows = 300, width = 8, classes = 20000;  // 96 rows a block
  const Tensor h = randn({rows, width}, g).set_requires_grad(),
               w = randn({classes, width}, g).set_requires_grad(),
               b = randn({classes}, g).set_requires_grad();
  Tensor target = randint(classes, {rows}, g);
  target.mutable_data<int64_t>()[5] = -100;
  const CrossEntropyOptions options{.label_smoothing = 0.1};
  auto gradients = [&](const Tensor& loss) {
    std::vector<float> all{loss.item<float>()};
    for (const Tensor& d : grad({loss * 3.0}, {h, w, b}))
      for (float v : d.to_vector<float>()) all.push_back(v);
    return all;
  };
  const auto fused = same_at_any_threads(
      [&] { return gradients(linear_cross_entropy(h, w, b, target, options)); });
  const auto composed = gradients(cross_entropy(linear(h, w, b), target, options));
  double worst = 0;
  for (size_t i = 0; i < fused.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(fused[i] - composed[i])));
  CHECK(worst < 2e-5);
  NoGrad no_grad;
  const Tensor once = linear_cross_entropy(h, w, b, target, options);
  CHECK(once.item() == Approx(composed[0]).epsilon(1e-6));
}

TEST_CASE("linear_cross_entropy holds a block of logits, not all, and skips ignored rows") {
  Generator g(1);
  const int64_t rows = 2000, classes = 20000;
  Tensor h = randn({rows, 4}, g);
  float* first = h.mutable_data<float>();
  first[0] = std::numeric_limits<float>::quiet_NaN();
  h.set_requires_grad();
  const Tensor w = randn({classes, 4}, g).set_requires_grad();
  Tensor target = randint(classes, {rows}, g);
  target.mutable_data<int64_t>()[0] = -100;
  reset_peak();
  const size_t before = allocator_stats().bytes_in_use;
  const Tensor loss = linear_cross_entropy(h, w, {}, target);
  CHECK(allocator_stats().peak_in_use - before < 12u << 20);  // all logits: 160 MB
  CHECK(std::isfinite(loss.item()));
  loss.backward();
  CHECK(numbers(slice(h.grad(), 0, 0, 1)) == Numbers{0, 0, 0, 0});
  CHECK(std::isfinite(sum(w.grad()).item()));
}

TEST_CASE("cumsum of whole numbers and booleans counts in int64") {
  const Tensor counted = cumsum(tensor({1, -2, 5}), 0);
  CHECK(counted.dtype() == kInt64);
  CHECK(numbers(to(counted, kFloat64)) == Numbers{1, -1, 4});
  CHECK(numbers(to(cumsum(tensor({true, false, true}), 0), kFloat64)) == Numbers{1, 1, 2});
}

TEST_CASE("reshape finds out one size, not two") {
  CHECK(message_of([] {
          reshape(ones({2, 3}), {-1, -1});
        }) == "reshape: sizes must not be negative, but for one -1; got [-1, -1]");
}
