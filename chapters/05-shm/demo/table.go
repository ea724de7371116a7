package main

import (
	"errors"
	"fmt"
	"sync/atomic"

	shm "ipcworkbook/chapters/05-shm"
)

// The table: a number that all count in, and two accounts with 100 in all. It has a lock, and
// a semaphore that is a gate: who counts waits there until all have come.
const (
	numberAt   = 0
	firstAt    = 8
	secondAt   = 16
	gateAt     = 64
	arrivedAt  = 128
	lockAt     = 192
	tableSize  = 256
	inAccounts = 100
)

type table struct {
	region                *shm.Region
	number, first, second *atomic.Uint64
	gate, arrived         *shm.Semaphore
	lock                  *shm.Lock
}

// newTable makes a table. What a run that crashed has left of that name it replaces.
func newTable(name string) (*table, error) {
	r, err := shm.Renew(name, tableSize, func(r *shm.Region) error {
		_, gateErr := shm.NewSemaphore(r, gateAt, 0)
		_, arrivedErr := shm.NewSemaphore(r, arrivedAt, 0)
		_, lockErr := shm.NewLock(r, lockAt)
		first, firstErr := r.Uint64(firstAt)
		if err := errors.Join(gateErr, arrivedErr, lockErr, firstErr); err != nil {
			return err
		}
		first.Store(inAccounts)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("making the table: %w", err)
	}
	return tableIn(r)
}

func openTable(name string) (*table, error) {
	r, err := shm.Attach(name, tableSize)
	if err != nil {
		return nil, fmt.Errorf("opening the table: %w", err)
	}
	return tableIn(r)
}

func tableIn(r *shm.Region) (*table, error) {
	t := &table{region: r}
	var errs [6]error
	t.number, errs[0] = r.Uint64(numberAt)
	t.first, errs[1] = r.Uint64(firstAt)
	t.second, errs[2] = r.Uint64(secondAt)
	t.gate, errs[3] = shm.OpenSemaphore(r, gateAt)
	t.arrived, errs[4] = shm.OpenSemaphore(r, arrivedAt)
	t.lock, errs[5] = shm.OpenLock(r, lockAt)
	return t, errors.Join(errs[:]...)
}

func (t *table) accounts() string {
	first, second := t.first.Load(), t.second.Load()
	return fmt.Sprintf("%d and %d, which makes %d", first, second, first+second)
}
