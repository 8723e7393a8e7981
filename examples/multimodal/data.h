// Which questions are for training and which for tests, in what order they are asked, and batches
// of them.
#pragma once

#include <weft/seq2seq.h>
#include <weft/weft.h>

#include <map>
#include <set>

#include "scenes.h"

namespace scenes {

constexpr size_t kTrainScenes = 6000, kTestScenes = 1000, kQuestions = 10;  // of a scene

struct Asked {
  int64_t scene;
  Question question;
  weft::Ids words = {};
  int64_t answer = 0;  // an id
};

struct Data {
  weft::Tensor ink;                          // [scenes, patches, pixels]: 1 - picture
  std::vector<Asked> train, test, new_test;  // tests of other scenes; new: never asked in training
  std::unique_ptr<weft::Vocabulary> words, answers;
};

// No scene twice. One question in ten is held out of training; how-many questions are too few.
inline Data draw_data(Generator random) {
  std::set<Scene> scenes;
  weft::Tensors pictures;
  std::vector<Asked> all;
  std::map<std::string, bool> held_out;
  std::vector<std::string> texts, answers;
  while (scenes.size() < kTrainScenes + kTestScenes) {
    const Scene scene = draw_scene(random);
    if (!scenes.insert(scene).second) continue;
    for (size_t i = 0; i < kQuestions; ++i) {
      all.push_back({std::ssize(pictures), ask(scene, random)});
      const auto& [kind, text, answer] = all.back().question;
      if (!held_out.contains(text)) held_out[text] = kind != "how many" && random.below(10) == 0;
      texts.push_back(text);
      answers.push_back(answer);
    }
    pictures.push_back(paint(scene, random));
  }
  Data data{1 - stack(pictures, 0),        {}, {}, {}, weft::word_vocabulary(texts),
            weft::word_vocabulary(answers)};
  for (Asked& asked : all) {
    asked.words = data.words->encode(asked.question.text);
    asked.answer = data.answers->encode(asked.question.answer).at(0);
    const bool trains = asked.scene < static_cast<int64_t>(kTrainScenes);
    const bool held = held_out[asked.question.text];
    if (!trains) (held ? data.new_test : data.test).push_back(asked);
    if (trains && !held) data.train.push_back(asked);
  }
  return data;
}

struct QuestionBatch {
  weft::Tensor questions, ink, answers;  // [B, T], [B, patches, pixels], [B]
};

inline QuestionBatch make_batch(const Data& data, const std::vector<Asked>& asked) {
  std::vector<weft::Ids> questions;
  weft::Ids scenes, answers;
  for (const Asked& a : asked) {
    questions.push_back(a.words);
    answers.push_back(a.answer);
    scenes.push_back(a.scene);
  }
  const weft::Shape rows{std::ssize(asked)};
  return {weft::to_tensor(weft::pad_ids(questions)),
          weft::index_select(data.ink, 0, weft::from_vector(scenes, rows)),
          weft::from_vector(answers, rows)};
}

// Chooses what to ask: kinds of question in proportion to how often they were answered wrongly of
// late. Else the kinds that are learned first make the others wait.
class Teacher {
 public:
  std::vector<Asked> ask(const Data& data, Generator& random) const {
    double worst = 0;
    for (const auto& [kind, wrong] : wrong_) worst = std::max(worst, wrong);
    std::vector<Asked> asked;
    while (asked.size() < 64) {
      const Asked& one = draw(data.train, random);
      const double wanted = std::max(wrong_.at(one.question.kind), 0.2 * worst);
      if (random.uniform() * worst < wanted) asked.push_back(one);
    }
    return asked;
  }

  void mark(const std::vector<Asked>& asked, const weft::Ids& answers) {
    for (size_t i = 0; i < asked.size(); ++i) {
      double& wrong = wrong_.at(asked[i].question.kind);
      wrong += 0.002 * ((answers[i] != asked[i].answer) - wrong);
    }
  }

 private:
  std::map<std::string, double> wrong_{
      {"where", 1}, {"what", 1}, {"how many", 1}, {"which way", 1}};  // running means
};

}  // namespace scenes
