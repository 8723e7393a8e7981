// Checkpoints: a run that is stopped and resumed has the bits of one that never stopped, and a file
// that does not fit changes nothing.
#include <sys/wait.h>
#include <unistd.h>
#include <weft/autograd/ops.h>
#include <weft/core/parallel.h>
#include <weft/nn/dropout.h>
#include <weft/nn/linear.h>
#include <weft/optim/adam.h>
#include <weft/optim/checkpoint.h>
#include <weft/optim/clip.h>
#include <weft/tests/catch.h>
#include <weft/tests/flips.h>
#include <weft/tests/sanitized.h>
#include <weft/tests/temp_dir.h>
#include <weft/tests/unsealed.h>

#include <chrono>
#include <csignal>
#include <thread>

using namespace weft;
using Catch::Matchers::Contains;

namespace {

class Model : public Layer<Model> {
 public:
  Model(int64_t hidden, const Generator& gen)
      : expand_(child<Linear>("expand", 6, hidden, gen)),
        drop_(child<Dropout>("drop", 0.3, gen)),
        project_(child<Linear>("project", hidden, 2, gen)) {}
  Tensor forward(const Tensor& x) { return project_(drop_(tanh(expand_(x)))); }

 private:
  Linear& expand_;
  Dropout& drop_;
  Linear& project_;
};

// A model in training on data drawn from a generator of its own.
struct Trainer {
  explicit Trainer(uint64_t seed, int64_t hidden = 8)
      : gen(seed),
        data(seed + 1),
        model(hidden, gen),
        adam(model.named_parameters(), {.lr = 0.05, .beta2 = 0.98}),
        schedule(adam, schedules::warmup_decay(4)) {}

  TrainingRun run() { return {model, &adam, &schedule, {{"dropout", gen}, {"data", data}}}; }
  void train(int updates) {
    for (int i = 0; i < updates; ++i, ++step) {
      const Tensor loss = mean(pow(model(randn({5, 6}, data)) - 1, 2));
      loss.backward();
      clip_grad_norm(model.parameters(), 1);
      adam.step();
      schedule.step();
      adam.zero_grad();
    }
  }
  std::vector<float> weights() const {
    std::vector<float> all;
    for (const Tensor& p : model.parameters())
      for (float w : p.to_vector<float>()) all.push_back(w);
    return all;
  }

  Generator gen, data;
  Model model;
  Adam adam;
  Schedule schedule;
  int64_t step = 0;
};

// All that a failed load might have touched.
Metadata fingerprint(Trainer& t, const std::string& path) {
  save_checkpoint(path, t.run());
  Metadata all = load_safetensors(path).metadata;
  for (const NamedTensor& tensor : load_safetensors(path).tensors)
    all[tensor.name] = to_string(tensor.tensor);
  return all;
}

// Trains in a process of its own that saves after every update, and kills it in the midst.
void train_and_kill(const std::string& path, std::chrono::milliseconds after) {
  const pid_t child = fork();
  if (child == 0) {
    Trainer trainer(1);
    while (true) {
      trainer.train(1);
      save_checkpoint(path, trainer.run(), {{"step", std::to_string(trainer.step)}});
    }
  }
  REQUIRE(child > 0);
  while (!std::filesystem::exists(path)) std::this_thread::sleep_for(after);
  std::this_thread::sleep_for(after);
  kill(child, SIGKILL);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
}

}  // namespace

TEST_CASE("a run whose process is killed goes on from its last checkpoint with the same bits") {
  const int threads = num_threads();
  set_num_threads(1);  // the threads of a pool would not live on in the child
  for (const int milliseconds : {1, 7, 20}) {
    const TempDir dir;
    const std::string path = dir / "last.safetensors";
    train_and_kill(path, std::chrono::milliseconds(milliseconds));
    Trainer resumed(99), unbroken(1);
    const int64_t step = integer_at(load_checkpoint(path, resumed.run()), "step");
    CHECK(step > 0);
    resumed.train(5);
    unbroken.train(static_cast<int>(step) + 5);
    CHECK(resumed.weights() == unbroken.weights());
  }
  set_num_threads(threads);
}

TEST_CASE("a run that is resumed at any step has the bits of an unbroken one") {
  const TempDir dir;
  const std::string path = dir / "last.safetensors";
  Trainer unbroken(1);
  unbroken.train(12);
  for (const int stop : {0, 1, 5, 11}) {
    CAPTURE(stop);
    Trainer first(1);
    first.train(stop);
    save_checkpoint(path, first.run(), {{"step", std::to_string(first.step)}, {"epoch", "0"}});
    Trainer second(99);  // other weights, other generators
    const Metadata progress = load_checkpoint(path, second.run());
    second.step = integer_at(progress, "step");
    CHECK(second.step == stop);
    CHECK(progress.at("epoch") == "0");
    second.train(12 - stop);
    CHECK(second.weights() == unbroken.weights());
    CHECK(second.adam.lr() == unbroken.adam.lr());
    CHECK(second.gen.position() == unbroken.gen.position());
  }
}

TEST_CASE("the weights of a checkpoint can be had alone") {
  const TempDir dir;
  const std::string path = dir / "model.safetensors";
  Trainer saved(1), other(2);
  saved.train(3);
  save_checkpoint(path, saved.run());
  load_checkpoint(path, {other.model});
  CHECK(other.weights() == saved.weights());
  CHECK(other.adam.state_dict().size() == 1);
  CHECK(other.gen.seed() == 2);
  CHECK(load_safetensors(path).at("model.expand.weight").shape() == Shape{8, 6});
}

TEST_CASE("a checkpoint that does not fit is refused and changes nothing") {
  const TempDir dir;
  const std::string path = dir / "last.safetensors", spare = dir / "spare";
  Trainer trainer(1);
  trainer.train(2);
  const Metadata before = fingerprint(trainer, spare);
  const auto refusal = [&] {
    std::string message = message_of([&] { load_checkpoint(path, trainer.run()); });
    CHECK(message.find('\n') == std::string::npos);
    CHECK_THAT(message, Contains(path));
    CHECK(fingerprint(trainer, spare) == before);
    return message;
  };

  Trainer wider(1, 9);
  save_checkpoint(path, {wider.model});
  CHECK_THAT(message_of([&] { load_checkpoint(path, {trainer.model}); }),
             Contains("expand.weight [9, 6] instead of [8, 6]"));
  wider.train(1);
  save_checkpoint(path, wider.run());
  CHECK_THAT(refusal(), Contains("\"exp_avg.expand.weight\" must be float32 [8, 6]"));
  save_checkpoint(path, {trainer.model, &trainer.adam});
  CHECK(refusal() == fmt::format("load_checkpoint: {}: \"schedule.steps\" is missing", path));
  save_checkpoint(path, {trainer.model, &trainer.adam, &trainer.schedule});
  CHECK_THAT(refusal(), Contains("\"generator.data.seed\" is missing"));
  save_checkpoint(path, {trainer.model, nullptr, &trainer.schedule, trainer.run().generators});
  CHECK_THAT(refusal(), Contains("Adam: the state lacks \"lr_factor\""));

  save_checkpoint(path, trainer.run());
  SafetensorsFile file = load_safetensors(path);
  file.metadata["schedule.steps"] = "3x";
  save_safetensors(path, file.tensors, file.metadata);
  CHECK_THAT(refusal(), Contains("\"schedule.steps\" must be a whole number; got \"3x\""));
  save_safetensors(path, file.tensors);
  CHECK_THAT(refusal(), Contains("not a checkpoint"));
}

TEST_CASE("progress is read back as numbers, or named where it cannot") {
  const Metadata progress{{"step", "12"}, {"score", "0.5"}, {"far", "99999999999999999999"}};
  CHECK(integer_at(progress, "step") == 12);
  CHECK(message_of([&] { integer_at(progress, "epoch"); }) == "integer_at: \"epoch\" is missing");
  CHECK(message_of([&] { integer_at(progress, "score"); }) ==
        "integer_at: \"score\" must be a whole number; got \"0.5\"");
  CHECK_THAT(message_of([&] { integer_at(progress, "far"); }), Contains("must be a whole number"));
}

TEST_CASE("no flipped bit of a checkpoint goes unnoticed") {
  const TempDir dir;
  const std::string path = dir / "last.safetensors";
  Trainer trainer(1, 2);
  trainer.train(1);
  save_checkpoint(path, trainer.run(), {{"step", "1"}});
  constexpr int64_t kEach = kSanitized ? 7 : 1;  // of so many bytes one is damaged
  int64_t unnoticed = 0, flips = 0;
  with_flips(
      path,
      [&](int64_t, int) {
        ++flips;
        unnoticed += message_of([&] { load_checkpoint(path, trainer.run()); }).empty();
      },
      kEach);
  CHECK(flips > 10000 / kEach);
  CHECK(unnoticed == 0);
  CHECK_NOTHROW(load_checkpoint(path, trainer.run()));
}

TEST_CASE("counts that no run reaches are refused") {
  const TempDir dir;
  const std::string path = dir / "last.safetensors";
  Trainer trainer(1);
  save_checkpoint(path, trainer.run());
  const SafetensorsFile file = load_safetensors(path);
  for (const std::string key : {"schedule.steps", "generator.dropout.position"})
    for (const std::string count : {"4611686018427387904", "-1", "18446744073709551615"}) {
      weft::Metadata metadata = file.metadata;
      metadata[key] = count;
      save_safetensors(path, file.tensors, metadata);
      const std::string message = message_of([&] { load_checkpoint(path, trainer.run()); });
      CHECK_THAT(message, Contains("\"" + key + "\" must be "));
    }
}

TEST_CASE("a checkpoint of before there were checksums is read, one that lost them is not") {
  const TempDir dir;
  const std::string path = dir / "last.safetensors";
  Trainer trainer(1), other(2);
  trainer.train(1);
  save_checkpoint(path, trainer.run(), {{"step", "1"}});
  std::string bytes = without_checksums(dir.read("last.safetensors"));
  dir.write("last.safetensors", bytes);
  const std::string lost = "load_checkpoint: " + path +
                           ": its checksums are missing, so it was changed since weft wrote it";
  CHECK(message_of([&] { load_checkpoint(path, other.run()); }) == lost);
  CHECK(message_of([&] { progress_of(load_safetensors(path)); }) == lost);
  const std::string format = "\"weft.checkpoint\":\"";
  bytes[bytes.find(format) + format.size()] = '1';
  dir.write("last.safetensors", bytes);
  CHECK(integer_at(load_checkpoint(path, other.run()), "step") == 1);
  CHECK(other.weights() == trainer.weights());
}

TEST_CASE("the error of a state dict that does not fit names some of a thousand tensors") {
  Trainer trainer(1);
  NamedTensors state;
  for (int i = 0; i < 1000; ++i)
    state.push_back({"tensor" + std::to_string(i) + std::string(1000, 'x'), zeros({1})});
  const std::string message = message_of([&] { trainer.model.load_state_dict(state); });
  CHECK(message.size() < 3000);
  CHECK_THAT(message, Contains("; missing: expand.weight, expand.bias"));
  CHECK_THAT(message, Contains("; unexpected: tensor0x"));
  CHECK_THAT(message, Contains("... and 990 more"));
}
