//go:build tools

// Package tools names the program that the tests run, so that its version is pinned.
package tools

import _ "github.com/docker/compose/v2/cmd"
