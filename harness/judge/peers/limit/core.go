package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// cores are the numbers of those that this program may use.
func cores() ([]int, error) {
	var may unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return nil, fmt.Errorf("sched_getaffinity: %w", err)
	}
	var all []int
	for cpu := 0; len(all) < may.Count(); cpu++ {
		if may.IsSet(cpu) {
			all = append(all, cpu)
		}
	}
	return all, nil
}

// stayOnFirst and stayOnLast keep main's thread on one core, and processes that
// it starts later. Without that the scheduler decides whether the two processes
// share a core, and so what is measured. The peers are left to the scheduler:
// where it puts them is part of what they cost.
func stayOnFirst() error {
	all, err := cores()
	if err != nil {
		return err
	}
	return stayOn(all[0])
}

func stayOnLast() error {
	all, err := cores()
	if err != nil {
		return err
	}
	return stayOn(all[len(all)-1])
}

func stayOn(cpu int) error {
	var one unix.CPUSet
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	return nil
}
