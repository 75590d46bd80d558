//go:build tools

// Package tools names the programs that the tests run, so that their versions are pinned.
package tools

import (
	_ "github.com/influxdata/influx-cli/v2/cmd/influx"
	_ "github.com/influxdata/influxdb/v2/cmd/influxd"
	_ "github.com/influxdata/pkg-config"
)
