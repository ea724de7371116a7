package residue

import (
	"errors"
	"io/fs"
	"os"
)

// Remove removes objects that are the step's: those that [Places.Own] returned.
// Descriptors are left as they are. What is gone already is no error.
func Remove(own []Object) error {
	var errs []error
	for _, o := range own {
		errs = append(errs, remove(o))
	}
	return errors.Join(errs...)
}

func remove(o Object) error {
	switch {
	case o.Kind == Descriptor:
		return nil
	case o.Kind == Zombie:
		return reap(o.ID)
	case o.Kind.systemV():
		return removeSystemV(o)
	case o.Kind == PosixQueue:
		return unlinkQueue(o.Name)
	case o.Kind == Folder:
		return os.RemoveAll(o.Name)
	}
	err := os.Remove(o.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// CleanUp removes what bears a name or a key that was given out in a step whose
// folder lies below this one, and nothing else. It is for whoever comes after a
// SIGKILL of everything; files in the folder itself are not its part. To be sure
// that nothing is made afterwards, no process of the step may be left.
func CleanUp(folder string) error {
	given := givenBelow(folder)
	if len(given.Names) == 0 && len(given.Keys) == 0 {
		return nil
	}
	found := Objects{}
	for _, t := range tables {
		t.read(found)
	}
	listQueues(commonQueues, found)
	probeQueues(given.Names, found)
	listFolder(memoryFolder, found)
	var own []Object
	for _, o := range found {
		if given.names(o) {
			own = append(own, o)
		}
	}
	return Remove(own)
}

// commonQueues is where the POSIX queues of a machine are listed, if they are.
const commonQueues = "/dev/mqueue"
