// Made by `cargo xtask header`; do not edit.

"use strict";

exports.ABI_VERSION = 1;

/** The functions of engage_point_shop.h, as koffi reads them. */
exports.PROTOTYPES = [
  "int32_t eps_client_open(uint32_t abi, const char *config_json, _Out_ uintptr_t *client, _Out_ eps_buffer *out)",
  "int32_t eps_client_close(uintptr_t client)",
  "int32_t eps_cancel(uintptr_t client)",
  "int32_t eps_cancel_call(uintptr_t client, const char *call_id)",
  "int32_t eps_find_contact(uintptr_t client, const char *key, const char *value, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_list_points(uintptr_t client, const char *contact_id, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_list_items(uintptr_t client, const char *contact_id, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_purchase(uintptr_t client, const char *contact_id, const char *item_id, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_list_purchases(uintptr_t client, const char *contact_id, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_list_rewards(uintptr_t client, const char *contact_id, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_find_reward(uintptr_t client, const char *operation_id, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_redeem_reward(uintptr_t client, const char *contact_id, const char *assignment_id, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_list_unacknowledged(uintptr_t client, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_list_operations(uintptr_t client, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_get_operation(uintptr_t client, const char *operation_id, _Out_ eps_buffer *out)",
  "int32_t eps_resolve_pending(uintptr_t client, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_acknowledge(uintptr_t client, const char *operation_id, _Out_ eps_buffer *out)",
  "int32_t eps_resolve_review(uintptr_t client, const char *operation_id, const char *resolution, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_acknowledge_reference(uintptr_t client, const char *reference, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_backup_journal(uintptr_t client, const char *path, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_read_stats(uintptr_t client, _Out_ eps_buffer *out)",
  "int32_t eps_check(uintptr_t client, const char *options_json, _Out_ eps_buffer *out)",
  "int32_t eps_read_metrics(uintptr_t client, _Out_ eps_buffer *out)",
  "int32_t eps_set_log(uintptr_t client, int32_t level, eps_log_fn *fn, uintptr_t user)",
  "int32_t eps_set_notify(uintptr_t client, eps_notify_fn *fn, uintptr_t user)",
  "int32_t eps_new_id(_Out_ eps_buffer *out)",
  "void eps_buffer_dispose(_Inout_ eps_buffer *buffer)",
  "int32_t eps_outcome(int32_t code)",
  "const char *eps_code_name(int32_t code)",
  "const char *eps_code_action(int32_t code)",
  "const char *eps_code_meaning(int32_t code)",
  "int32_t eps_json_get(eps_buffer *buffer, const char *pointer, _Out_ eps_buffer *out)",
  "int32_t eps_json_quote(const char *text, _Out_ eps_buffer *out)",
  "const char *eps_version(void)",
  "uint32_t eps_abi_version(void)",
];
