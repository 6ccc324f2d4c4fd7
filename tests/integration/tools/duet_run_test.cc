#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "integration/tools/command.h"

namespace duet::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

/// A run of `workers` times `script`, a program for sh.
class Workers : public Command {
 public:
  Workers(int workers, const std::string& script, const std::map<std::string, std::string>& variables = {},
          std::vector<std::string> options = {})
      : Command(arguments(workers, script, std::move(options)), variables) {}

 private:
  static std::vector<std::string> arguments(int workers, const std::string& script,
                                            std::vector<std::string> options) {
    std::vector<std::string> all = {DUET_RUN, "-n", std::to_string(workers)};
    all.insert(all.end(), options.begin(), options.end());
    all.insert(all.end(), {"--", "/bin/sh", "-c", script});
    return all;
  }
};

bool alive(pid_t id) {
  std::ifstream status("/proc/" + std::to_string(id) + "/stat");
  std::string text;
  std::getline(status, text);
  const auto end = text.rfind(')');
  return end != std::string::npos && text.at(end + 2) != 'Z';
}

bool gone_within(const std::vector<pid_t>& ids, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (std::any_of(ids.begin(), ids.end(), alive)) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

/// The process ids that workers wrote as "pid N".
std::vector<pid_t> ids(const Command& run) {
  std::vector<pid_t> found;
  std::istringstream stream(run.out());
  for (std::string line; std::getline(stream, line);) {
    const auto at = line.find("] pid ");
    if (at != std::string::npos) found.push_back(static_cast<pid_t>(std::stol(line.substr(at + 6))));
  }
  return found;
}

void wait_for_workers(Command& run, std::size_t count) {
  ASSERT_TRUE(run.read_until([&] { return ids(run).size() == count; }, 20s)) << run.out() << run.err();
}

TEST(DuetRun, TellsEachWorkerWhoItIs) {
  Workers run(3, "echo $DUET_RANK $DUET_WORLD_SIZE $DUET_LOCAL_RANK $DUET_SEED_TIMEOUT");
  EXPECT_EQ(run.wait(), 0);
  EXPECT_THAT(run.lines("["), UnorderedElementsAre("0] 0 3 0 7", "1] 1 3 1 7", "2] 2 3 2 7"));
  EXPECT_EQ(run.err(), "");
}

TEST(DuetRun, ChoosesOneFreePortAndOneNameForAll) {
  Workers run(4, "echo $DUET_RENDEZVOUS $DUET_RUN_ID");
  EXPECT_EQ(run.wait(), 0);
  std::set<std::string> said;
  for (int rank = 0; rank < 4; ++rank) {
    for (const auto& line : run.lines("[" + std::to_string(rank) + "] "))
      said.insert(line);
  }
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_THAT(*said.begin(),
              AllOf(StartsWith("seed://127.0.0.1:"), HasSubstr(" run-"), Not(HasSubstr(":29650 "))));
  Workers other(1, "echo $DUET_RUN_ID");
  EXPECT_EQ(other.wait(), 0);
  EXPECT_THAT(*said.begin(), Not(HasSubstr(other.lines("[0] ").at(0))));
}

TEST(DuetRun, LeavesToTheUserWhatTheUserHasSet) {
  Workers run(2, "echo $DUET_RENDEZVOUS $DUET_RUN_ID $DUET_SEED_TIMEOUT $OMP_NUM_THREADS $DUET_RANK",
              {{"DUET_RENDEZVOUS", "file:/tmp/x"},
               {"DUET_RUN_ID", "mine"},
               {"DUET_SEED_TIMEOUT", "3"},
               {"OMP_NUM_THREADS", "7"},
               {"DUET_RANK", "99"}});
  EXPECT_EQ(run.wait(), 0);
  EXPECT_THAT(run.lines("["), UnorderedElementsAre("0] file:/tmp/x mine 3 7 0", "1] file:/tmp/x mine 3 7 1"));
}

TEST(DuetRun, SharesTheCoresOutAmongTheWorkers) {
  cpu_set_t set;
  ASSERT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  for (const int workers : {1, 2, 16}) {
    Workers run(workers, "echo $OMP_NUM_THREADS");
    EXPECT_EQ(run.wait(), 0);
    EXPECT_EQ(run.lines("[0] ").at(0), std::to_string(std::max(1, CPU_COUNT(&set) / workers)));
  }
}

TEST(DuetRun, KeepsLinesWholeAndStreamsApart) {
  Workers run(
      4,
      "for k in 1 2 3 4 5 6 7 8 9; do printf 'out '; printf \"$k\\n\"; echo err $k >&2; done; printf last; "
      "printf 'last err' >&2");
  EXPECT_EQ(run.wait(), 0);
  for (int rank = 0; rank < 4; ++rank) {
    const std::string prefix = "[" + std::to_string(rank) + "] ";
    EXPECT_THAT(run.lines(prefix), ElementsAre("out 1", "out 2", "out 3", "out 4", "out 5", "out 6", "out 7",
                                               "out 8", "out 9", "last"));
    EXPECT_THAT(run.err(), AllOf(HasSubstr(prefix + "err 9\n"), HasSubstr(prefix + "last err\n")));
    EXPECT_THAT(run.err(), Not(HasSubstr("out")));
  }
}

TEST(DuetRun, PassesOnMuchOutputAndVeryLongLines) {
  Workers run(2, "head -c 3000000 /dev/zero | tr '\\0' x; echo; seq 1 100000; echo end $DUET_RANK >&2");
  EXPECT_EQ(run.wait(), 0);
  for (const char* prefix : {"[0] ", "[1] "}) {
    const auto lines = run.lines(prefix);
    std::size_t length = 0;
    std::size_t numbers = 0;
    for (const auto& line : lines)
      (line.starts_with("x") ? length : numbers) += line.starts_with("x") ? line.size() : 1;
    EXPECT_EQ(length, 3000000u);
    EXPECT_EQ(numbers, 100000u);
    EXPECT_EQ(lines.back(), "100000");
  }
  EXPECT_THAT(run.err(), AllOf(HasSubstr("[0] end 0\n"), HasSubstr("[1] end 1\n")));
}

TEST(DuetRun, ReturnsTheLargestExitCode) {
  EXPECT_EQ(Workers(3, "exit 0").wait(), 0);
  EXPECT_EQ(Workers(3, "exit $DUET_RANK").wait(), 2);
  EXPECT_EQ(Workers(3, "exit $((200 - DUET_RANK))").wait(), 200);
}

TEST(DuetRun, NeverEndsTheOthersWhenOneDies) {
  Workers run(3, "if [ $DUET_RANK = 1 ]; then kill -9 $$; fi; sleep 0.5; echo survived");
  EXPECT_EQ(run.wait(), 0);
  EXPECT_EQ(run.lines("[0] "), std::vector<std::string>{"survived"});
  EXPECT_EQ(run.lines("[2] "), std::vector<std::string>{"survived"});
  EXPECT_THAT(run.err(), HasSubstr("duet-run: worker 1 was lost: signal 9 (Killed)\n"));
  Workers failing(2, "if [ $DUET_RANK = 1 ]; then exit 1; fi; sleep 0.3; echo survived; exit 0");
  EXPECT_EQ(failing.wait(), 1);
  EXPECT_EQ(failing.lines("[0] "), std::vector<std::string>{"survived"});
}

TEST(DuetRun, CountsOnlySurvivorsAndSaysSoWhenThereAreNone) {
  Workers some(3, "if [ $DUET_RANK = 2 ]; then kill -11 $$; fi; exit 3");
  EXPECT_EQ(some.wait(), 3);
  EXPECT_THAT(some.err(), HasSubstr("worker 2 was lost: signal 11"));
  Workers all(2, "kill -9 $$");
  EXPECT_EQ(all.wait(), 128 + SIGKILL);
  EXPECT_THAT(all.err(), AllOf(HasSubstr("worker 0 was lost"), HasSubstr("worker 1 was lost")));
}

TEST(DuetRun, PassesSignalsOnOnceEach) {
  for (const auto& [signal, name] :
       {std::pair(SIGINT, "INT"), std::pair(SIGTERM, "TERM"), std::pair(SIGHUP, "HUP")}) {
    Workers run(3, std::string("n=0; trap 'n=$((n+1)); echo caught; ' ") + name +
                       "; echo pid $$; while [ $n -lt 1 ]; do sleep 0.05; done; sleep 0.2; exit $n");
    wait_for_workers(run, 3);
    run.send(signal);
    EXPECT_EQ(run.wait(), 1) << name << run.err();
    for (int rank = 0; rank < 3; ++rank) {
      EXPECT_EQ(run.lines("[" + std::to_string(rank) + "] caught").size(), 1u) << name;
    }
  }
}

TEST(DuetRun, EndsByTheSignalThatEndedItsWorkers) {
  Workers run(2, "echo pid $$; sleep 60");
  wait_for_workers(run, 2);
  run.send(SIGTERM);
  EXPECT_EQ(run.wait(10s), 128 + SIGTERM);
}

TEST(DuetRun, KillsAfterASecondSignalAndAGraceTime) {
  Workers run(2, "trap '' INT; echo pid $$; while :; do sleep 0.1; done", {}, {"--grace", "0.4"});
  wait_for_workers(run, 2);
  const auto workers = ids(run);
  run.send(SIGINT);
  std::this_thread::sleep_for(800ms);
  EXPECT_THAT(workers, Each(::testing::Truly(alive))) << "one signal is a request";
  const auto second = std::chrono::steady_clock::now();
  run.send(SIGINT);
  EXPECT_EQ(run.wait(10s), 128 + SIGKILL);
  const auto took = std::chrono::steady_clock::now() - second;
  EXPECT_GE(took, 390ms);
  EXPECT_LT(took, 5s);
  EXPECT_THAT(run.err(), HasSubstr("killing all workers"));
  EXPECT_TRUE(gone_within(workers, 5s));
}

TEST(DuetRun, ReachesWhatWorkersHaveStarted) {
  Workers run(2, "sleep 60 & echo pid $!; echo pid $$; wait");
  wait_for_workers(run, 4);
  const auto all = ids(run);
  run.send(SIGTERM);
  EXPECT_EQ(run.wait(10s), 128 + SIGTERM);
  EXPECT_TRUE(gone_within(all, 5s));
}

TEST(DuetRun, TakesItsWorkersAlongWhenItIsKilled) {
  Workers run(3, "echo pid $$; exec sleep 60");
  wait_for_workers(run, 3);
  const auto workers = ids(run);
  run.send(SIGKILL);
  EXPECT_TRUE(gone_within(workers, 5s));
}

TEST(DuetRun, DoesNotWaitForWhatAWorkerLeavesBehind) {
  const auto start = std::chrono::steady_clock::now();
  Workers run(2, "(sleep 30; echo too late) & echo pid $!; printf 'last words'");
  EXPECT_EQ(run.wait(15s), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  EXPECT_THAT(run.out(), AllOf(HasSubstr("[0] last words\n"), HasSubstr("[1] last words\n")));
  for (const pid_t left : ids(run))
    ::kill(left, SIGKILL);
}

TEST(DuetRun, GoesOnWhenNobodyReadsItsOutput) {
  const std::string folder = ::testing::TempDir() + "duet_run_unread_" + std::to_string(::getpid());
  std::filesystem::create_directory(folder);
  Command shell({"/bin/bash", "-c",
                 DUET_RUN " -n 2 -- sh -c 'seq 1 200000; touch " + folder + "/$DUET_RANK' | head -n 1"});
  EXPECT_EQ(shell.wait(), 0);
  EXPECT_TRUE(std::filesystem::exists(folder + "/0"));
  EXPECT_TRUE(std::filesystem::exists(folder + "/1"));
  std::filesystem::remove_all(folder);
}

TEST(DuetRun, HearsSignalsWhileNobodyTakesItsOutput) {
  Workers run(2, "echo pid $$; exec yes");
  wait_for_workers(run, 2);
  const auto workers = ids(run);
  std::this_thread::sleep_for(1s);  // by now the pipe to us and everything behind it is full
  run.send(SIGTERM);
  EXPECT_TRUE(gone_within(workers, 5s));
  EXPECT_EQ(run.wait(20s), 128 + SIGTERM);
}

TEST(DuetRun, LeavesNothingOpenInItsWorkers) {
  const std::string script = "ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/fd/0";
  Command direct({"/bin/sh", "-c", script + " >/dev/null"});  // with whatever our own caller left open
  EXPECT_EQ(direct.wait(), 0);
  Workers run(3, script);
  EXPECT_EQ(run.wait(), 0);
  for (const char* prefix : {"[0] ", "[1] ", "[2] "}) {
    EXPECT_THAT(run.lines(prefix), ElementsAre(direct.out() + "/dev/null"));
  }
}

TEST(DuetRun, StartsWorkersWithSignalsAsTheyShouldBe) {
  Workers run(1, "grep -E 'Sig(Blk|Ign)' /proc/self/status");
  EXPECT_EQ(run.wait(), 0);
  EXPECT_THAT(run.lines("[0] "), ElementsAre(HasSubstr("0000000000000000"), HasSubstr("0000000000000000")));
}

TEST(DuetRun, LeavesNoZombies) {
  Workers run(
      4,
      "if [ $DUET_RANK != 0 ]; then exit 0; fi; sleep 0.5; for f in /proc/[0-9]*/stat; do "
      "read -r line < $f && case \"$line\" in *\") Z $PPID \"*) echo zombie;; esac; done 2>/dev/null; "
      "echo done");
  EXPECT_EQ(run.wait(), 0);
  EXPECT_THAT(run.lines("[0] "), ElementsAre("done"));
}

TEST(DuetRun, StartsManyWorkersWithFewDescriptors) {
  Command shell({"/bin/bash", "-c", "ulimit -Sn 32; exec " DUET_RUN " -n 40 sh -c 'ulimit -Sn'"});
  EXPECT_EQ(shell.wait(), 0) << shell.err();
  EXPECT_EQ(shell.lines("[39] "), std::vector<std::string>{"32"});
}

TEST(DuetRun, PausesAndContinuesItsWorkers) {
  Workers run(1, "echo pid $$; exec sleep 60");  // no fork that would wait for a stopped child
  wait_for_workers(run, 1);
  const pid_t worker = ids(run).at(0);
  const auto state = [&] {
    std::ifstream status("/proc/" + std::to_string(worker) + "/stat");
    std::string text;
    std::getline(status, text);
    return text.at(text.rfind(')') + 2);
  };
  run.send(SIGTSTP);
  for (int k = 0; k < 500 && state() != 'T'; ++k)
    std::this_thread::sleep_for(10ms);
  EXPECT_EQ(state(), 'T');
  run.send(SIGCONT);
  for (int k = 0; k < 500 && state() == 'T'; ++k)
    std::this_thread::sleep_for(10ms);
  EXPECT_NE(state(), 'T');
  run.send(SIGTERM);
  EXPECT_EQ(run.wait(10s), 128 + SIGTERM);
}

TEST(DuetRun, RefusesBadInputInOneLine) {
  const std::string here = ::testing::TempDir();
  const std::vector<std::tuple<std::vector<std::string>, int, std::string>> cases = {
      {{"-n", "0", "true"}, 2, "-n 0: there can be 1 to"},
      {{"-n", "-2", "true"}, 2, "-n -2"},
      {{"-n", "99999", "true"}, 2, "-n 99999"},
      {{"-n", "two", "true"}, 2, "two"},
      {{"true"}, 2, "say how many workers"},
      {{}, 2, "say how many workers"},
      {{"-n", "2"}, 2, "no program to start"},
      {{"-n", "2", "--"}, 2, "no program to start"},
      {{"-n", "2", "--bogus", "true"}, 2, "unknown option --bogus"},
      {{"-n", "2", "--grace", "-1", "true"}, 2, "--grace"},
      {{"-n", "2", "no-such-program-anywhere"}, 127, "no program no-such-program-anywhere"},
      {{"-n", "2", "./no/such/program"}, 127, "no program ./no/such/program"},
      {{"-n", "2", "--", "-odd-name"}, 127, "no program -odd-name"},
      {{"-n", "2", here}, 126, "not an executable file"},
      {{"-n", "2", "/etc/passwd"}, 126, "not an executable file"},
  };
  for (const auto& [arguments, exit_code, words] : cases) {
    std::vector<std::string> all = {DUET_RUN};
    all.insert(all.end(), arguments.begin(), arguments.end());
    Command run(all);
    EXPECT_EQ(run.wait(10s), exit_code) << words;
    EXPECT_THAT(run.err(), AllOf(StartsWith("duet-run: "), HasSubstr(words)));
    EXPECT_EQ(std::count(run.err().begin(), run.err().end(), '\n'), 1) << run.err();
    EXPECT_EQ(run.out(), "");
  }
}

TEST(DuetRun, SaysWhyAFileCannotBeExecuted) {
  const std::string path = ::testing::TempDir() + "duet_run_no_program_" + std::to_string(::getpid());
  std::ofstream(path) << "#!/no/such/interpreter\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  Command run({DUET_RUN, "-n", "3", path});
  EXPECT_EQ(run.wait(10s), 126);
  EXPECT_THAT(run.err(), HasSubstr("cannot execute " + path));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace duet::testing
