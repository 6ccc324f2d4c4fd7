// Every pass on the device against the same pass on the host, element by element.
#include "dynamics/passes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "device/reference.h"
#include "device/rig.h"
#include "telemetry/sketch.h"

namespace duet::test {
namespace {

/// x, d, z, s and r of one block, on the host and on the device.
struct Both {
  Both(std::shared_ptr<device::Device> on, std::size_t elements, DType parameters, DType on_wire,
       unsigned seed)
      : count(elements),
        type(parameters),
        wire(on_wire),
        x(as(parameters, normal_values(count, seed))),
        d(normal_values(count, seed + 1, 0.1F)),
        z(normal_values(count, seed + 2)),
        s(as(on_wire, normal_values(count, seed + 3))),
        r(as(on_wire, normal_values(count, seed + 4))),
        dx(on, x),
        dd(on, d),
        dz(on, z),
        ds(on, s),
        dr(on, r),
        device(on),
        stream(on->make_stream()) {}

  static std::vector<std::byte> as(DType type, const std::vector<float>& values) {
    std::vector<std::byte> bytes(values.size() * size_of(type));
    if (type == DType::kFloat32) {
      std::memcpy(bytes.data(), values.data(), bytes.size());
    } else {
      const auto narrow = rounded(values);
      std::memcpy(bytes.data(), narrow.data(), bytes.size());
    }
    return bytes;
  }
  dynamics::Elements here() { return {x.data(), type}; }
  dynamics::Elements there() { return {dx.data(), type}; }

  void expect_same(const char* pass) {
    device::Event end = device->make_event();
    end.record(stream);
    ASSERT_TRUE(end.wait(60.0));
    EXPECT_EQ(dx.read<std::byte>(x.size()), x) << pass;
    EXPECT_EQ(dd.read<float>(count), d) << pass;
    EXPECT_EQ(dz.read<float>(count), z) << pass;
    EXPECT_EQ(ds.read<std::byte>(s.size()), s) << pass;
  }

  std::size_t count;
  DType type, wire;
  std::vector<std::byte> x;
  std::vector<float> d, z;
  std::vector<std::byte> s, r;
  DeviceArray dx, dd, dz, ds, dr;
  std::shared_ptr<device::Device> device;
  device::Stream stream;
};

class DevicePasses : public OnDevice {
 protected:
  /// For sizes around vectors, warps and blocks of threads, and for all types.
  template <class Check>
  void for_all(const Check& check) {
    auto device = open_device();
    for (const DType parameters : {DType::kFloat32, DType::kBFloat16}) {
      for (const DType wire : {DType::kFloat32, DType::kBFloat16}) {
        for (const std::size_t count : {1U, 3U, 31U, 64U, 255U, 1000U, 4099U}) {
          SCOPED_TRACE(testing::Message() << count << " elements, types " << static_cast<int>(parameters)
                                          << ' ' << static_cast<int>(wire));
          Both both(device, count, parameters, wire, static_cast<unsigned>(count));
          check(both);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
};

// The reference rounds as the device does, on any host; passes_test.cc of the dynamics ties the host's own to
// it.
TEST_F(DevicePasses, AreTheReferencesToTheBit) {
  namespace reference = dynamics::reference;
  for_all([](Both& b) {
    b.stream.snapshot(b.there(), b.dd.floats(), b.dz.floats(), b.ds.data(), b.wire, b.count, 0.2F);
    reference::snapshot(b.here(), b.d.data(), b.z.data(), b.s.data(), b.wire, b.count, 0.2F);
    b.expect_same("snapshot");
    b.stream.apply(b.dd.floats(), b.dz.floats(), b.ds.data(), b.dr.data(), b.wire, b.count, 0.5F, 1.37F);
    reference::apply(b.d.data(), b.z.data(), b.s.data(), b.r.data(), b.wire, b.count, 0.5F, 1.37F);
    b.expect_same("apply");
    b.stream.apply(b.dd.floats(), nullptr, b.ds.data(), b.dr.data(), b.wire, b.count, 0.5F, 0.0F);
    reference::apply(b.d.data(), nullptr, b.s.data(), b.r.data(), b.wire, b.count, 0.5F, 0.0F);
    b.expect_same("apply without momentum");
    b.stream.snapshot(b.there(), b.dd.floats(), nullptr, b.ds.data(), b.wire, b.count, 0.0F);
    reference::snapshot(b.here(), b.d.data(), nullptr, b.s.data(), b.wire, b.count, 0.0F);
    b.expect_same("position");
    b.stream.mix(b.dd.floats(), b.dz.floats(), b.count, 0.3F);
    reference::mix(b.d.data(), b.z.data(), b.count, 0.3F);
    b.expect_same("mix");
    b.stream.deliver(b.there(), b.dd.floats(), b.count);
    reference::deliver(b.here(), b.d.data(), b.count);
    b.expect_same("deliver");
    if (b.wire == DType::kFloat32) {
      auto* const out = reinterpret_cast<float*>(b.s.data());
      b.stream.invariant(b.there(), b.dd.floats(), b.dz.floats(), b.ds.floats(), b.count);
      reference::invariant(b.here(), b.d.data(), b.z.data(), out, b.count);
      b.expect_same("invariant");
      b.stream.invariant(b.there(), b.dd.floats(), nullptr, b.ds.floats(), b.count);
      reference::invariant(b.here(), b.d.data(), nullptr, out, b.count);
      b.expect_same("invariant without momentum");
      b.stream.assign(b.there(), b.dd.floats(), b.dr.floats(), b.count);
      reference::assign(b.here(), b.d.data(), reinterpret_cast<float*>(b.r.data()), b.count);
      b.expect_same("assign");
      b.stream.widen(b.there(), b.ds.floats(), b.count);
      reference::widen(b.here(), out, b.count);
      b.expect_same("widen");
    }
  });
}

TEST_F(DevicePasses, MeasureDistancesAndFindEveryElementThatIsNotFinite) {
  for_all([](Both& b) {
    const DeviceArray sum(b.device, std::vector<double>(1));
    const auto measure = [&] {
      b.stream.clear(sum.data(), sizeof(double));
      b.stream.squared_distance(b.ds.data(), b.dr.data(), b.wire, b.count, static_cast<double*>(sum.data()));
      device::Event end = b.device->make_event();
      end.record(b.stream);
      EXPECT_TRUE(end.wait(60.0));
      return sum.read<double>(1)[0];
    };
    const double expected = dynamics::squared_distance(b.s.data(), b.r.data(), b.wire, b.count);
    EXPECT_NEAR(measure(), expected, 1e-12 * expected);
    for (const float bad :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      for (const std::size_t at : {std::size_t{0}, b.count / 2, b.count - 1}) {
        auto changed = b.r;
        const auto element = Both::as(b.wire, {bad});
        std::memcpy(changed.data() + at * element.size(), element.data(), element.size());
        b.dr.write(changed.data(), changed.size());
        EXPECT_FALSE(std::isfinite(measure())) << at;
      }
    }
    b.dr.write(b.r.data(), b.r.size());
  });
}

TEST_F(DevicePasses, SketchAsTheHostDoes) {
  auto device = open_device();
  for (const DType type : {DType::kFloat32, DType::kBFloat16}) {
    const std::size_t count = 70'001;
    Both b(device, count, type, DType::kFloat32, 5);
    telemetry::Sketcher sketcher(99);
    const DeviceArray sums(device, std::vector<double>(telemetry::kSketchSize));
    // In parts of any size, beginning anywhere.
    for (std::size_t at = 0, part = 1; at < count; at += part, part = part * 3 + 1) {
      const std::size_t n = std::min(part, count - at);
      b.stream.sketch(sketcher.key(), b.there().from(at), b.dd.floats() + at, 777 + at, n,
                      static_cast<double*>(sums.data()));
      sketcher.add(b.here().from(at), b.d.data() + at, 777 + at, n);
    }
    b.stream.sketch(sketcher.key(), b.there(), nullptr, 0, 100, static_cast<double*>(sums.data()));
    sketcher.add(b.here(), nullptr, 0, 100);
    device::Event end = device->make_event();
    end.record(b.stream);
    ASSERT_TRUE(end.wait(60.0));
    const auto there = sums.read<double>(telemetry::kSketchSize);
    const auto here = sketcher.values();
    for (std::size_t i = 0; i < here.size(); ++i)
      ASSERT_NEAR(there[i], here[i], 1e-11) << "place " << i;
  }
}

TEST_F(DevicePasses, KeepWhatBFloat16CannotHold) {
  auto device = open_device();
  // A thousandth of x's last place, a thousand times: with rounding alone x would never move.
  const std::size_t count = 100;
  const DeviceArray x(device, rounded(std::vector<float>(count, 1.0F)));
  const DeviceArray d(device, std::vector<float>(count));
  const DeviceArray step(device, std::vector<float>(count, -1.0F / 128000.0F));
  const DeviceArray zero(device, std::vector<float>(count));
  device::Stream stream = device->make_stream();
  for (int i = 0; i < 1000; ++i) {
    stream.apply(d.floats(), nullptr, step.data(), zero.data(), DType::kFloat32, count, 1.0F, 0.0F);
    stream.deliver({x.data(), DType::kBFloat16}, d.floats(), count);
  }
  device::Event end = device->make_event();
  end.record(stream);
  ASSERT_TRUE(end.wait(60.0));
  const auto moved = widened(x.read<std::uint16_t>(count));
  const auto rest = d.read<float>(count);
  EXPECT_EQ(moved[7], 1.0078125F);
  EXPECT_NEAR(double{moved[7]} + double{rest[7]}, 1.0 + 1000.0 / 128000.0, 1e-4);
}

}  // namespace
}  // namespace duet::test
