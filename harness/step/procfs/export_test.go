package procfs

// For the tests in procfs_test.
var (
	ChildrenFromStat = childrenFromStat
	Unpacks          = unpacks
)
