package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"ipcworkbook/harness/judge/book"
)

// sealCmd seals what is on disk. The sealed texts become part of this program
// when it is built the next time.
type sealCmd struct{}

func (sealCmd) Run(p place) error {
	chapters, err := book.Chapters()
	if err != nil {
		return err
	}
	for _, c := range chapters {
		text, err := c.Seal(p.root)
		if err != nil {
			return err
		}
		path := filepath.Join(p.root, c.SealPath())
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
			fmt.Println("unchanged:", c.SealPath())
			continue
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		fmt.Println("sealed:", c.SealPath())
	}
	return nil
}
