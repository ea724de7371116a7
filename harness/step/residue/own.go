package residue

import (
	"path/filepath"
	"slices"
	"strings"
)

// Own returns those of the objects that are the step's, with all that can be
// said about them. Who are the processes of the step, with their roles.
//
// Where the step shares the machine this finds less than it left: the kernel
// keeps no maker of a System V queue that nobody has sent to, nor of a semaphore
// set that nobody has changed, nor of any POSIX object. Then the name has to tell.
func (p Places) Own(left []Object, who map[int]string) []Object {
	given := ReadGiven(p.Dir)
	var own []Object
	for _, o := range left {
		if slices.Contains(given.Paths, o.Name) {
			continue // a file that may stay
		}
		if o.Kind == SemaphoreSet {
			o.Maker = changer(o.ID, who)
		}
		if !p.Alone && !p.inFolder(o) && !given.names(o) && who[o.Maker] == "" {
			continue
		}
		o.Role = who[o.Maker]
		own = append(own, o.described())
	}
	return own
}

// inFolder says whether an object is a file in a folder of the step's own.
func (p Places) inFolder(o Object) bool {
	return slices.Contains(p.Folders, filepath.Dir(o.Name))
}

// names says whether an object bears a name or a key that was given out. A name
// is random, so what contains it was made by somebody who had it: sem.NAME is the
// file of a named semaphore, and NAME.lock may lie beside NAME.
func (g Given) names(o Object) bool {
	if o.Kind.systemV() {
		return slices.Contains(g.Keys, o.Key)
	}
	return slices.ContainsFunc(g.Names, func(name string) bool {
		return strings.Contains(filepath.Base(o.Name), strings.TrimPrefix(name, "/"))
	})
}
