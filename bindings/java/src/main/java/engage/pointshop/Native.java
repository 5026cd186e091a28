// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import com.sun.jna.Callback;
import com.sun.jna.Library;
import com.sun.jna.Pointer;

/** The functions of engage_point_shop.h. A text is UTF-8 with a NUL behind. A buffer is
 *  {@link Buffer}. */
interface Native extends Library {
    int ABI_VERSION = 1;

    /** The eps_log_fn of the C API. The length has the size of a pointer. */
    interface LogFunction extends Callback {
        void invoke(Pointer user, int level, Pointer line, Pointer length);
    }

    /** The eps_notify_fn of the C API. */
    interface NotifyFunction extends Callback {
        void invoke(Pointer user, Pointer json, Pointer length);
    }

    int eps_client_open(int abi, byte[] config_json, Pointer client, Pointer out);

    int eps_client_close(Pointer client);

    int eps_cancel(Pointer client);

    int eps_cancel_call(Pointer client, byte[] call_id);

    int eps_find_contact(Pointer client, byte[] key, byte[] value, byte[] options_json, Pointer out);

    int eps_list_points(Pointer client, byte[] contact_id, byte[] options_json, Pointer out);

    int eps_list_items(Pointer client, byte[] contact_id, byte[] options_json, Pointer out);

    int eps_purchase(Pointer client, byte[] contact_id, byte[] item_id, byte[] options_json, Pointer out);

    int eps_list_purchases(Pointer client, byte[] contact_id, byte[] options_json, Pointer out);

    int eps_list_rewards(Pointer client, byte[] contact_id, byte[] options_json, Pointer out);

    int eps_find_reward(Pointer client, byte[] operation_id, byte[] options_json, Pointer out);

    int eps_redeem_reward(Pointer client, byte[] contact_id, byte[] assignment_id, byte[] options_json, Pointer out);

    int eps_list_unacknowledged(Pointer client, byte[] options_json, Pointer out);

    int eps_list_operations(Pointer client, byte[] options_json, Pointer out);

    int eps_get_operation(Pointer client, byte[] operation_id, Pointer out);

    int eps_resolve_pending(Pointer client, byte[] options_json, Pointer out);

    int eps_acknowledge(Pointer client, byte[] operation_id, Pointer out);

    int eps_resolve_review(Pointer client, byte[] operation_id, byte[] resolution, byte[] options_json, Pointer out);

    int eps_acknowledge_reference(Pointer client, byte[] reference, byte[] options_json, Pointer out);

    int eps_backup_journal(Pointer client, byte[] path, byte[] options_json, Pointer out);

    int eps_read_stats(Pointer client, Pointer out);

    int eps_check(Pointer client, byte[] options_json, Pointer out);

    int eps_read_metrics(Pointer client, Pointer out);

    int eps_set_log(Pointer client, int level, LogFunction fn, Pointer user);

    int eps_set_notify(Pointer client, NotifyFunction fn, Pointer user);

    int eps_new_id(Pointer out);

    void eps_buffer_dispose(Pointer buffer);

    int eps_outcome(int code);

    Pointer eps_code_name(int code);

    Pointer eps_code_action(int code);

    Pointer eps_code_meaning(int code);

    int eps_json_get(Pointer buffer, byte[] pointer, Pointer out);

    int eps_json_quote(byte[] text, Pointer out);

    Pointer eps_version();

    int eps_abi_version();
}
