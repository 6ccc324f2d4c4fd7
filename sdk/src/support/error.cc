#include "duet/error.h"

namespace duet {

// Out of line, so that each type has one type_info and catches work across the library's boundary.
Error::~Error() = default;
ConfigurationError::~ConfigurationError() = default;
TransportError::~TransportError() = default;
MembershipError::~MembershipError() = default;
DeviceError::~DeviceError() = default;
TimeoutError::~TimeoutError() = default;

}  // namespace duet
