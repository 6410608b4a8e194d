// Package demo is "weft demo": a small cloud on this machine to look at, to break and to check, which leaves nothing
// behind. It is the lab that the tests use (package test/lab), with a controller and agents in it.
package demo
