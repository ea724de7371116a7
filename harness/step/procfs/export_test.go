package procfs

import "golang.org/x/sys/unix"

// For the tests in procfs_test.
var (
	ChildrenFromStat = childrenFromStat
	Unpacks          = unpacks
)

// WithoutSockDiag pretends that the kernel has no unix_diag, until back is called.
func WithoutSockDiag() (back func()) {
	old := unixSockets
	unixSockets = func(int) ([]SocketInfo, error) { return nil, unix.ENOENT }
	return func() { unixSockets = old }
}
