#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "duet/error.h"
#include "duet/options.h"
#include "options/address.h"
#include "options/node_list.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

std::string refusal(const Variables& variables) {
  try {
    Options::from_variables(variables);
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "no refusal";
}

std::string origin(const Options& options, const std::string& name) {
  for (const auto& source : options.sources) {
    if (source.name == name) return source.value + " from " + source.origin;
  }
  return "not recorded";
}

void expect_place(const Variables& variables, int rank, int world_size, int local_rank,
                  const std::string& rendezvous) {
  const Options options = Options::from_variables(variables);
  EXPECT_EQ(options.rank, rank);
  EXPECT_EQ(options.world_size, world_size);
  EXPECT_EQ(options.local_rank, local_rank);
  EXPECT_EQ(options.rendezvous, rendezvous);
}

Variables operator+(Variables left, const Variables& right) {
  left.insert(right.begin(), right.end());
  return left;
}

const Variables kDuet = {{"DUET_RANK", "1"}, {"DUET_WORLD_SIZE", "3"}, {"DUET_LOCAL_RANK", "1"}};
const Variables kTorchrun = {{"RANK", "5"},
                             {"LOCAL_RANK", "1"},
                             {"WORLD_SIZE", "8"},
                             {"LOCAL_WORLD_SIZE", "4"},
                             {"MASTER_ADDR", "node0"},
                             {"MASTER_PORT", "29500"},
                             {"TORCHELASTIC_RUN_ID", "train-7"}};
const Variables kOpenMpi = {{"OMPI_COMM_WORLD_RANK", "2"},
                            {"OMPI_COMM_WORLD_SIZE", "4"},
                            {"OMPI_COMM_WORLD_LOCAL_RANK", "2"},
                            {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}};
const Variables kPmi = {
    {"PMI_RANK", "6"}, {"PMI_SIZE", "7"}, {"MPI_LOCALRANKID", "0"}, {"MPI_LOCALNRANKS", "7"}};
const Variables kSlurm = {{"SLURM_PROCID", "9"},
                          {"SLURM_NTASKS", "10"},
                          {"SLURM_LOCALID", "1"},
                          {"SLURM_NNODES", "5"},
                          {"SLURM_JOB_ID", "4711"},
                          {"SLURM_STEP_ID", "2"},
                          {"SLURM_JOB_NODELIST", "gpu[03-07]"}};
const Variables kKubernetes = {{"JOB_COMPLETION_INDEX", "3"}};

constexpr const char* kHere = "seed://127.0.0.1:29650";

TEST(Launcher, IsNotNeededForOneProcess) {
  expect_place({}, 0, 1, 0, kHere);
  expect_place({{"PATH", "/bin"}, {"MASTER_ADDR", "elsewhere"}}, 0, 1, 0, kHere);
  EXPECT_EQ(origin(Options::from_variables({}), "world_size"), "1 from one process");
}

TEST(Launcher, IsReadForWhatItSays) {
  expect_place(kDuet, 1, 3, 1, kHere);
  expect_place(kTorchrun, 5, 8, 1, "seed://node0:29650");
  expect_place(kOpenMpi, 2, 4, 2, kHere);
  expect_place(kPmi, 6, 7, 0, kHere);
  expect_place(kSlurm, 9, 10, 1, "seed://gpu03:29650");
  expect_place(kKubernetes + Variables{{"DUET_WORLD_SIZE", "4"}, {"MASTER_ADDR", "train-0.svc"}}, 3, 4, 0,
               "seed://train-0.svc:29650");
  expect_place({{"PMIX_RANK", "1"}, {"PMIX_SIZE", "2"}, {"PMIX_LOCAL_RANK", "1"}}, 1, 2, 1, kHere);
}

TEST(Launcher, ThatComesFirstWins) {
  const Variables all[] = {kDuet, kTorchrun, kOpenMpi, kPmi, kSlurm, kKubernetes};
  const int ranks[] = {1, 5, 2, 6, 9, 3};
  for (std::size_t first = 0; first + 1 < std::size(all); ++first) {
    Variables together;
    for (std::size_t k = first; k < std::size(all); ++k)
      together = together + all[k];
    EXPECT_EQ(Options::from_variables(together).rank, ranks[first]) << first;
  }
  // All values come from the same launcher: a size from torchrun never meets a rank from Slurm.
  const Options options = Options::from_variables(kSlurm + kTorchrun);
  EXPECT_EQ(options.world_size, 8);
  EXPECT_EQ(options.run_id, "train-7");
}

TEST(Launcher, RankAloneIsANodeIndexAndNotTorchrun) {
  expect_place({{"RANK", "3"}, {"WORLD_SIZE", "4"}}, 0, 1, 0, kHere);
  expect_place(Variables{{"RANK", "3"}, {"WORLD_SIZE", "4"}} + kOpenMpi, 2, 4, 2, kHere);
}

TEST(Launcher, GivesTheRunItsName) {
  EXPECT_EQ(Options::from_variables(kTorchrun).run_id, "train-7");
  EXPECT_EQ(Options::from_variables(kSlurm).run_id, "4711.2");
  EXPECT_EQ(Options::from_variables(kOpenMpi + Variables{{"PMIX_NAMESPACE", "prterun-42"}}).run_id,
            "prterun-42");
  EXPECT_EQ(Options::from_variables(kSlurm + Variables{{"DUET_RUN_ID", "mine"}}).run_id, "mine");
  Variables unnamed = kTorchrun;
  unnamed["TORCHELASTIC_RUN_ID"] = "none";
  EXPECT_EQ(Options::from_variables(unnamed).run_id, "");
}

TEST(Launcher, NeverHandsOutTorchrunsOwnPort) {
  for (const char* port : {"29500", "29650", "1", "nonsense"}) {
    Variables variables = kTorchrun;
    variables["MASTER_PORT"] = port;
    EXPECT_EQ(Options::from_variables(variables).rendezvous, "seed://node0:29650");
  }
  Variables ipv6 = kTorchrun;
  ipv6["MASTER_ADDR"] = "fd00::1";
  EXPECT_EQ(Options::from_variables(ipv6).rendezvous, "seed://[fd00::1]:29650");
}

TEST(Launcher, OnOneMachineMeetsOnItsLoopback) {
  // torchrun --standalone gives the machine's name, which a socket on 127.0.0.1 does not answer to.
  Variables variables = kTorchrun;
  variables["LOCAL_WORLD_SIZE"] = "8";
  EXPECT_EQ(origin(Options::from_variables(variables), "rendezvous"),
            "seed://127.0.0.1:29650 from torchrun: one machine");
  variables["DUET_BIND"] = "10.0.0.5";
  EXPECT_EQ(Options::from_variables(variables).rendezvous, "seed://10.0.0.5:29650");
  variables["DUET_BIND"] = "0.0.0.0";
  EXPECT_EQ(Options::from_variables(variables).rendezvous, kHere);
  Variables one_node = kSlurm;
  one_node["SLURM_NNODES"] = "1";
  EXPECT_EQ(Options::from_variables(one_node).rendezvous, kHere);
  one_node = kTorchrun + Variables{{"GROUP_WORLD_SIZE", "1"}};
  one_node.erase("LOCAL_WORLD_SIZE");
  EXPECT_EQ(Options::from_variables(one_node).rendezvous, kHere);
}

TEST(Launcher, ThatDoesNotKnowRankZerosHostLeavesItToTheUser) {
  Variables several = kOpenMpi;
  several["OMPI_COMM_WORLD_LOCAL_SIZE"] = "2";
  Options options = Options::from_variables(several);
  EXPECT_EQ(options.rendezvous, "");
  try {
    options.validate();
    FAIL() << "no refusal";
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("Open MPI does not say where rank 0 is"), HasSubstr("DUET_RENDEZVOUS")));
  }
  options.rendezvous = "file:/shared/run";  // the program knows
  EXPECT_NO_THROW(options.validate());
  EXPECT_EQ(Options::from_variables(several + Variables{{"MASTER_ADDR", "node7"}}).rendezvous,
            "seed://node7:29650");
}

TEST(Launcher, IsOverruledByDuetsOwnVariables) {
  const Options options = Options::from_variables(kTorchrun + Variables{{"DUET_RENDEZVOUS", "file:/shared"},
                                                                        {"DUET_LOCAL_RANK", "0"},
                                                                        {"DUET_RANK", "7"}});
  EXPECT_EQ(options.rendezvous, "file:/shared");
  EXPECT_EQ(options.local_rank, 0);
  EXPECT_EQ(options.rank, 7);
  EXPECT_EQ(options.world_size, 8);
  EXPECT_EQ(origin(options, "rank"), "7 from DUET_RANK");
  EXPECT_EQ(origin(options, "world_size"), "8 from torchrun: WORLD_SIZE");
}

TEST(Launcher, RecordsWhereEachValueComesFrom) {
  const Options options = Options::from_variables(kSlurm);
  EXPECT_EQ(origin(options, "rank"), "9 from Slurm: SLURM_PROCID");
  EXPECT_EQ(origin(options, "world_size"), "10 from Slurm: SLURM_NTASKS");
  EXPECT_EQ(origin(options, "local_rank"), "1 from Slurm: SLURM_LOCALID");
  EXPECT_EQ(origin(options, "rendezvous"), "seed://gpu03:29650 from Slurm: SLURM_JOB_NODELIST");
  EXPECT_EQ(origin(options, "run_id"), "4711.2 from Slurm: SLURM_JOB_ID");
}

TEST(Launcher, ReadsASlurmStepBeforeItsJob) {
  const Options options = Options::from_variables(
      kSlurm + Variables{{"SLURM_STEP_NUM_TASKS", "12"}, {"SLURM_STEP_NODELIST", "cpu1,cpu2"}});
  EXPECT_EQ(options.world_size, 12);
  EXPECT_EQ(options.rendezvous, "seed://cpu1:29650");
}

TEST(Launcher, GarbageIsRefusedWithVariableAndValue) {
  for (const char* bad : {"x", "-1", "", "1.5", " 1", "1 ", "99999999999"}) {
    for (const auto& [launcher, variable] :
         {std::pair(kTorchrun, "RANK"), std::pair(kTorchrun, "WORLD_SIZE"),
          std::pair(kTorchrun, "LOCAL_RANK"), std::pair(kOpenMpi, "OMPI_COMM_WORLD_RANK"),
          std::pair(kPmi, "PMI_SIZE"), std::pair(kSlurm, "SLURM_PROCID"), std::pair(kSlurm, "SLURM_NTASKS"),
          std::pair(kKubernetes, "JOB_COMPLETION_INDEX"), std::pair(kDuet, "DUET_RANK"),
          std::pair(kDuet, "DUET_WORLD_SIZE")}) {
      Variables variables = launcher;
      variables[variable] = bad;
      EXPECT_THAT(refusal(variables), HasSubstr(std::string(variable) + "=" + bad)) << variable << "=" << bad;
    }
  }
  Variables zero = kTorchrun;
  zero["WORLD_SIZE"] = "0";
  EXPECT_THAT(refusal(zero), HasSubstr("WORLD_SIZE=0"));
}

TEST(Launcher, RanksBeyondTheSizeAreRefused) {
  Variables variables = kTorchrun;
  variables["RANK"] = "8";
  EXPECT_THAT(refusal(variables),
              AllOf(HasSubstr("rank = 8 (torchrun: RANK)"),
                    HasSubstr("world_size = 8 (torchrun: WORLD_SIZE)"), HasSubstr("0 to 7")));
  EXPECT_THAT(refusal({{"DUET_RANK", "3"}, {"DUET_WORLD_SIZE", "3"}}), HasSubstr("rank = 3 (DUET_RANK)"));
  EXPECT_THAT(refusal({{"DUET_RANK", "0"}, {"DUET_WORLD_SIZE", "3"}, {"DUET_LOCAL_RANK", "3"}}),
              HasSubstr("local_rank = 3 (DUET_LOCAL_RANK)"));
}

TEST(Launcher, HalfAnAnswerIsRefused) {
  EXPECT_THAT(refusal({{"DUET_RANK", "0"}}),
              AllOf(HasSubstr("rank = 0 (DUET_RANK)"), HasSubstr("set DUET_WORLD_SIZE")));
  EXPECT_THAT(refusal({{"DUET_WORLD_SIZE", "2"}}),
              AllOf(HasSubstr("world_size = 2 (DUET_WORLD_SIZE)"), HasSubstr("set DUET_RANK")));
  EXPECT_THAT(refusal(kKubernetes),
              AllOf(HasSubstr("JOB_COMPLETION_INDEX"), HasSubstr("set DUET_WORLD_SIZE")));
  Variables sizeless = kTorchrun;
  sizeless.erase("WORLD_SIZE");
  EXPECT_THAT(refusal(sizeless), AllOf(HasSubstr("torchrun: RANK"), HasSubstr("set DUET_WORLD_SIZE")));
  expect_place({{"DUET_WORLD_SIZE", "1"}}, 0, 1, 0, kHere);
  // Rank without a size under PMI: Slurm, which started it, knows both.
  expect_place(kSlurm + Variables{{"PMIX_RANK", "4"}}, 9, 10, 1, "seed://gpu03:29650");
}

TEST(NodeList, StartsWithItsFirstHost) {
  EXPECT_EQ(options::first_host("node1"), "node1");
  EXPECT_EQ(options::first_host("node1,node2"), "node1");
  EXPECT_EQ(options::first_host("node[03-07,9],login1"), "node03");
  EXPECT_EQ(options::first_host("node[7],x"), "node7");
  EXPECT_EQ(options::first_host("rack[2,4]-node[08-10].cluster"), "rack2-node08.cluster");
  EXPECT_EQ(options::first_host("node[3"), "");
  EXPECT_EQ(options::first_host("node[]"), "");
  EXPECT_EQ(options::first_host(""), "");
}

TEST(Address, OfASeedIsReadStrictly) {
  const auto seed = options::parse_seed("seed://[::1]:29650");
  ASSERT_TRUE(seed.has_value());
  EXPECT_EQ(seed->host, "[::1]");
  EXPECT_EQ(seed->port, 29650);
  EXPECT_TRUE(options::parse_seed("seed://node-0.example.org:1").has_value());
  for (const char* bad :
       {"seed://", "seed://host", "seed://host:", "seed://:1", "seed://host:0", "seed://host:65536",
        "seed://host:x", "tcp://host:1", "seed://a b:1", "seed://::1:1", "host:1", ""}) {
    EXPECT_FALSE(options::parse_seed(bad).has_value()) << bad;
  }
}

TEST(Address, IsLoopbackOnlyWhereThatIsSure) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]"}) {
    EXPECT_TRUE(options::is_loopback(host)) << host;
  }
  for (const char* host :
       {"0.0.0.0", "10.0.0.1", "node0", "127.example.org", "128.0.0.1", "", "eth0", "localhost.evil"}) {
    EXPECT_FALSE(options::is_loopback(host)) << host;
  }
}

}  // namespace
}  // namespace duet
