// Clipping by norm against PyTorch's numbers, and what happens to norms that are not finite.
#include <weft/autograd/ops.h>
#include <weft/core/parallel.h>
#include <weft/core/serialize.h>
#include <weft/optim/adam.h>
#include <weft/optim/clip.h>
#include <weft/optim/sgd.h>
#include <weft/tests/catch.h>
#include <weft/tests/places.h>

#include <cmath>
#include <limits>

using namespace weft;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor with_gradient(const Tensor& gradient) {
  Tensor w = zeros(gradient.shape(), gradient.dtype());
  w.set_requires_grad();
  w.set_grad(gradient);
  return w;
}

double difference(const Tensor& x, const Tensor& y) { return max(abs(x - y)).item(); }

}  // namespace

TEST_CASE("clip_grad_norm gives PyTorch's norms and gradients") {
  struct Case {
    std::string name;
    double max_norm, norm_type;
  };
  const SafetensorsFile file = load_safetensors(test_data("optimizers.safetensors"));
  for (const Case& c : {Case{"clip_active", 1, 2}, Case{"clip_inactive", 100, 2},
                        Case{"clip_largest", 0.5, kInfinity}, Case{"clip_absolute", 3, 1}}) {
    const Tensor a = with_gradient(select(file.at("input.grad.a"), 0, 0));
    const Tensor b = with_gradient(select(file.at("input.grad.b"), 0, 0));
    const Tensor frozen = zeros({3});
    CAPTURE(c.name);
    const double norm = clip_grad_norm({a, frozen, b}, c.max_norm, {.norm_type = c.norm_type});
    CHECK(norm == Approx(file.at(c.name + ".output.norm").item()).epsilon(1e-12));
    CHECK(difference(a.grad(), file.at(c.name + ".output.grad.a")) < 1e-12);
    CHECK(difference(b.grad(), file.at(c.name + ".output.grad.b")) < 1e-12);
  }
}

TEST_CASE("gradients inside the norm keep their bits") {
  const Tensor gradient = tensor({3.0, 4.0});
  const Tensor w = with_gradient(gradient);
  CHECK(clip_grad_norm({w}, 5.1) == 5);
  CHECK(w.grad().same_handle(gradient));
  CHECK(clip_grad_norm({}, 1) == 0);
}

TEST_CASE("gradients that nobody else holds are clipped in their own memory") {
  Tensor w = with_gradient(tensor({3.0, 4.0}));
  const float* memory = w.grad().data<float>();
  CHECK(clip_grad_norm({w}, 1) == 5);
  CHECK(w.grad().data<float>() == memory);
  CHECK(w.grad().at({1}) == Approx(0.8).epsilon(1e-5));
  const Tensor held = w.grad();
  clip_grad_norm({w}, 0.5);
  CHECK(held.at({1}) == Approx(0.8).epsilon(1e-5));
  CHECK(w.grad().at({1}) == Approx(0.4).epsilon(1e-5));
}

TEST_CASE("a step with a clip factor is the step after clipping, bit for bit") {
  Generator gen(8);
  const Tensor start = randn({300, 70}, gen), gradient = randn({300, 70}, gen);
  Tensor before = clone(start), during = clone(start);
  for (Tensor* w : {&before, &during}) w->set_requires_grad().set_grad(clone(gradient));
  Adam one({{"w", before}}), other({{"w", during}});
  const double norm = clip_grad_norm({before}, 2);
  one.step();
  CHECK(grad_norm({during}) == norm);
  CHECK(clip_factor(norm, 2) == Approx(2 / norm));
  CHECK(clip_factor(1, 2) == 1);
  other.step(clip_factor(norm, 2));
  CHECK(before.to_vector<float>() == during.to_vector<float>());
  CHECK(during.grad().to_vector<float>() == gradient.to_vector<float>());
  CHECK(message_of([] { clip_factor(1, -1); }) ==
        "clip_factor: max_norm must not be negative; got -1");
}

TEST_CASE("a stretched gradient is clipped element by element") {
  const Tensor w = with_gradient(expand(tensor({2.0}), {4}));
  CHECK(clip_grad_norm({w}, 2) == 4);
  for (float g : w.grad().to_vector<float>()) CHECK(g == Approx(1).epsilon(1e-5));
}

TEST_CASE("a norm that is not finite is returned, or an Error before any change") {
  for (const double norm_type : {2.0, kInfinity}) {
    const Tensor fine = tensor({1.0}), bad = tensor({std::nan("")});
    const Tensor first = with_gradient(fine), second = with_gradient(bad);
    const Tensors parameters{second, first};
    CHECK(message_of([&] {
            clip_grad_norm(parameters, 1, {.norm_type = norm_type, .error_if_nonfinite = true});
          }) == "clip_grad_norm: the norm of the gradients is nan");
    CHECK(first.grad().same_handle(fine));
    CHECK(std::isnan(clip_grad_norm(parameters, 1, {.norm_type = norm_type})));
    CHECK(std::isnan(first.grad().item()));
  }
  CHECK(message_of([] { clip_grad_norm({}, -1); }) ==
        "clip_grad_norm: max_norm must not be negative; got -1");
  CHECK(message_of([] { clip_grad_norm({}, 1, {.norm_type = 0.5}); }) ==
        "clip_grad_norm: norm_type must be at least 1; got 0.5");
}

TEST_CASE("gradients at either end of their type are clipped to their direction") {
  struct Case {
    DType dtype;
    double size;
  };
  for (const Case& c : {Case{kFloat64, 3e200}, Case{kFloat64, 3e-200}, Case{kFloat64, 1e307},
                        Case{kFloat64, 5e-322}, Case{kFloat32, 1e30}, Case{kFloat32, 3e37},
                        Case{kFloat32, 1e-30}, Case{kFloat32, 1e-43}})
    for (const double p : {1.0, 2.0, 3.0, kInfinity}) {
      CAPTURE(c.size, p);
      const Tensor a = with_gradient(full({2}, c.size, c.dtype));
      const Tensor b = with_gradient(full({2}, -c.size, c.dtype));
      const double unit = a.grad().to_vector<double>()[0];  // as rounded to the type
      const double ratio = std::isinf(p) ? 1 : std::pow(4, 1 / p);
      CHECK(std::abs(grad_norm({a, b}, {.norm_type = p}) / (ratio * unit) - 1) < 1e-6);
      if (c.size < 1) continue;
      CHECK(clip_grad_norm({a, b}, 2, {.norm_type = p}) == Approx(ratio * unit));
      CHECK(a.grad().to_vector<double>()[1] == Approx(2 / ratio));
      CHECK(b.grad().to_vector<double>()[1] == Approx(-2 / ratio));
    }
  CHECK(grad_norm({with_gradient(zeros({3}, kFloat64))}) == 0);
  CHECK(grad_norm({with_gradient(zeros({0}, kFloat64))}) == 0);
}

TEST_CASE("a clip factor below the normal numbers of float32 keeps its digits") {
  const Tensor gradient = full({2}, 3e38);
  const Tensor w = with_gradient(clone(gradient));
  clip_grad_norm({w}, 1e-3);
  CHECK(w.grad().to_vector<float>()[0] == Approx(1e-3 / std::sqrt(2)));
  const Tensor v = with_gradient(gradient);
  Sgd sgd({{"v", v}}, {.lr = 1});
  sgd.step(clip_factor(grad_norm({v}), 1e-3));
  CHECK(v.to_vector<float>()[0] == Approx(-1e-3 / std::sqrt(2)));
}

TEST_CASE("the norm has the same bits at 1, 2 and 3 threads") {
  const int before = num_threads();
  Generator gen(3);
  Tensors all;  // some of many parts, some of one, an empty one
  double want = 0;
  for (const Shape& shape : {Shape{7}, Shape{1000, 777}, Shape{0}, Shape{300, 300}, Shape{50, 9}}) {
    const Tensor g = randn(shape, gen);
    for (const float v : g.to_vector<float>())
      want += static_cast<double>(v) * static_cast<double>(v);
    all.push_back(with_gradient(g));
  }
  set_num_threads(1);
  const double norm = clip_grad_norm(all, kInfinity);
  CHECK(norm == Approx(std::sqrt(want)).epsilon(1e-12));
  for (int threads : {2, 3, 16}) {
    set_num_threads(threads);
    CHECK(clip_grad_norm(all, kInfinity) == norm);
  }
  set_num_threads(before);
}
