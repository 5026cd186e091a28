// A program that buys a reward for points, in Go with cgo. Arguments: URL, root certificate, key,
// the absolute path of the journal. docs/other-languages.md has the commands.
package main

/*
#include <stdlib.h>
#include "engage_point_shop.h"

extern void changed(void *user, char *json, size_t len);
*/
import "C"

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"unsafe"
)

// operation is the part of the operation object that the program reads.
type operation struct {
	OperationID string `json:"operationId"`
	Reference   string `json:"reference"`
	Outcome     string `json:"outcome"`
	Existing    bool   `json:"existing"`
}

// changes has room for every change: the function of the library must not wait for the program.
var changes = make(chan operation, 1000)

// changed runs on a thread of the library. It copies the text, hands it over and returns.
//
//export changed
func changed(user unsafe.Pointer, text *C.char, length C.size_t) {
	var change operation
	if json.Unmarshal(C.GoBytes(unsafe.Pointer(text), C.int(length)), &change) == nil {
		changes <- change
	}
}

// taken copies a result and gives its buffer back to the library.
func taken(code C.int32_t, out *C.eps_buffer, into any) error {
	text := C.GoBytes(unsafe.Pointer(out.data), C.int(out.len))
	C.eps_buffer_dispose(out)
	if code != C.EPS_OK {
		return fmt.Errorf("%s: %s", C.GoString(C.eps_code_name(code)), text)
	}
	return json.Unmarshal(text, into)
}

// given makes a NUL-terminated copy of a text, which the caller frees.
func given(value any) *C.char {
	if text, ok := value.(string); ok {
		return C.CString(text)
	}
	text, _ := json.Marshal(value)
	return C.CString(string(text))
}

func buy(url, ca, key, journal string) error {
	config := given(map[string]any{"baseUrl": url, "caFile": ca, "apiKey": key, "userAgent": "ExampleTill/1.0", "journalPath": journal})
	defer C.free(unsafe.Pointer(config))
	var shop *C.eps_client
	var out C.eps_buffer
	var ignored any
	if err := taken(C.eps_client_open(C.EPS_ABI_VERSION, config, &shop, &out), &out, &ignored); err != nil {
		return err
	}
	defer C.eps_client_close(shop)
	if code := C.eps_set_notify(shop, C.eps_notify_fn(C.changed), nil); code != C.EPS_OK {
		return errors.New(C.GoString(C.eps_code_name(code)))
	}

	property, address := given("email"), given("astrid@example.com")
	defer C.free(unsafe.Pointer(property))
	defer C.free(unsafe.Pointer(address))
	var contact string
	if err := taken(C.eps_find_contact(shop, property, address, nil, &out), &out, &contact); err != nil {
		return err
	}

	member, item := given(contact), given("b0000000-0000-4000-8000-000000000001")
	options := given(map[string]any{"reference": "go å 1", "waitMs": 8000})
	for _, text := range []*C.char{member, item, options} {
		defer C.free(unsafe.Pointer(text))
	}
	code := C.eps_purchase(shop, member, item, options, &out)
	outcome := C.eps_outcome(code)
	var bought operation
	err := taken(code, &out, &bought)
	switch outcome {
	case C.EPS_OUTCOME_PENDING:
		fmt.Println("pending: let the sale go on")
		return nil
	case C.EPS_OUTCOME_DECLINED, C.EPS_OUTCOME_NOT_SENT:
		return err
	}
	// The notify function gets the same outcome, also of a purchase that was resolved hours later.
	// The second press on a receipt changes nothing.
	for !bought.Existing {
		change := <-changes
		if change.Reference == "go å 1" && change.Outcome == "completed" {
			break
		}
	}
	id := given(bought.OperationID)
	defer C.free(unsafe.Pointer(id))
	if err := taken(C.eps_acknowledge(shop, id, &out), &out, &ignored); err != nil {
		return err
	}
	fmt.Println("bought")
	return nil
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: buy URL CA KEY JOURNAL")
		os.Exit(2)
	}
	if err := buy(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
