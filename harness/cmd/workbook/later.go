package main

import "context"

type demoCmd struct{}
type verifyCmd struct{}
type soakCmd struct{}

func (demoCmd) Run(context.Context, place) error   { return nil }
func (verifyCmd) Run(context.Context, place) error { return nil }
func (soakCmd) Run(context.Context, place) error   { return nil }
