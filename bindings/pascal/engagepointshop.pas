{ Sell loyalty rewards for points at the till: engage_point_shop for Free Pascal and Delphi.

  One unit. Each method calls the function of engage_point_shop.h with the same name, where the
  header specifies it. Texts are UTF-8. Put the native library beside the program.

  A call that is not completed raises EEpsDeclined, EEpsPending or EEpsNotSent. On Linux a Free
  Pascal program has cthreads as its first unit. }
unit engagepointshop;

{$IFDEF FPC}
  {$MODE DELPHI}
  {$CODEPAGE UTF8}
  {$WARN 4055 OFF} // A number of an event is given as a pointer.
{$ENDIF}

interface

uses
  SysUtils, SyncObjs
  {$IFDEF FPC}, DynLibs{$ELSE}{$IFDEF MSWINDOWS}, Windows{$ENDIF}{$ENDIF};

type
  {$IFNDEF FPC}
  Int32 = Integer;
  UInt32 = Cardinal;
  {$ENDIF}

  { A client of the C API: a number, never a pointer to read. }
  PEpsClient = type Pointer;

  { The eps_buffer of the C API. }
  TEpsBuffer = record
    Data: PAnsiChar;
    Len: NativeUInt;
    Reserved: NativeUInt;
  end;

  TEpsLogFunction = procedure(user: Pointer; level: Int32; line: PAnsiChar; len: NativeUInt); cdecl;
  TEpsNotifyFunction = procedure(user: Pointer; json: PAnsiChar; len: NativeUInt); cdecl;

  { A JSON text. A path is a JSON Pointer (RFC 6901): '/operationId', '/operations/0/outcome'. }
  TEpsJson = record
  private
    FJson: UTF8String;
    function Find(const path: UTF8String; out found: UTF8String): Boolean;
  public
    { The whole text. }
    property Json: UTF8String read FJson;
    { Whether there is such a value, and it is not null. }
    function Has(const path: UTF8String): Boolean;
    { A text; '' without a value. }
    function Text(const path: UTF8String): UTF8String;
    { A number; 0 without a value. A value that is no number raises EConvertError. }
    function Number(const path: UTF8String): Double;
    { The same for whole numbers, as which 500.00 and 1.5e3 count too. }
    function Whole(const path: UTF8String): Int64;
    function Flag(const path: UTF8String): Boolean;
    { The length of an array. }
    function Count(const path: UTF8String): Integer;
    { An object or an array. EpsItems returns all elements of an array. }
    function Value(const path: UTF8String): TEpsJson;
  end;

  TEpsItems = array of TEpsJson;

  { A configuration or options: EpsOptions.Text('reference', '4711').Whole('waitMs', 8000). }
  TEpsOptions = record
  private
    FJson: UTF8String;
  public
    function Text(const key, value: UTF8String): TEpsOptions;
    function Whole(const key: UTF8String; value: Int64): TEpsOptions;
    function Flag(const key: UTF8String; value: Boolean): TEpsOptions;
    { A value that is JSON already. }
    function Json(const key, value: UTF8String): TEpsOptions;
    { The JSON object. }
    function ToJson: UTF8String;
  end;

  { The common part of the three exceptions below, each of which needs another action. }
  EEpsError = class(Exception)
  private
    FCode: Int32;
    FProblem: TEpsJson;
  public
    constructor CreateOf(aCode: Int32; const aProblem: TEpsJson);
    { The name, the code and the message, in UTF-8. }
    function Explanation: UTF8String;
    { Who acts: the member is informed only if it is 'tellMember'. }
    function Action: UTF8String;
    { The code, one of the constants or a newer one. }
    property Code: Int32 read FCode;
    { The problem object. }
    property Problem: TEpsJson read FProblem;
  end;

  { Engage declined it definitely, and nothing was deducted. }
  EEpsDeclined = class(EEpsError);
  { The outcome is not known yet: the library resolves the operation. Never treat it as failed. }
  EEpsPending = class(EEpsError);
  { Nothing that spends has left the till, or a read failed. }
  EEpsNotSent = class(EEpsError);
  { The native library is missing, for another processor, or of another version. }
  EEpsLibrary = class(Exception);

  { Both are called on a thread of the library. }
  TEpsLogEvent = procedure(level: Int32; const line: UTF8String) of object;
  TEpsNotifyEvent = procedure(const operation: TEpsJson) of object;

  { A client of one Engage tenant. Any thread may call any method at any time, also Close: waiting
    calls then return. Destroy closes it: let no other thread have a call then. }
  TEpsClient = class
  private
    FHandle: PEpsClient;
    FLog: NativeUInt;
    FNotify: NativeUInt;
  public
    { Opens a client. The call makes no request. }
    constructor Create(const config: TEpsOptions);
    destructor Destroy; override;
    { Ends every call and closes the client. Pending operations are resolved after the next open. }
    procedure Close;
    { Ends the wait of every call on this client. }
    procedure Cancel;
    { Ends the wait of the calls with this option callId, and of no other call. }
    procedure CancelCall(const callId: UTF8String);

    { Finds the id of a member by a key, such as 'email', and its value. }
    function FindContact(const key, value: UTF8String; const options: TEpsOptions): UTF8String;
    { Lists a member's point accounts. }
    function ListPoints(const contactId: UTF8String; const options: TEpsOptions): TEpsJson;
    { Lists the items that a member can buy. }
    function ListItems(const contactId: UTF8String; const options: TEpsOptions): TEpsJson;
    { Buys an item for points. Returns the operation when the purchase is completed; with the option
      submit as soon as it is durable. }
    function Purchase(const contactId, itemId: UTF8String; const options: TEpsOptions): TEpsJson;
    { Lists a member's purchases in Engage. }
    function ListPurchases(const contactId: UTF8String; const options: TEpsOptions): TEpsJson;
    { Lists a member's rewards. }
    function ListRewards(const contactId: UTF8String; const options: TEpsOptions): TEpsJson;
    { Finds the reward that a completed purchase gave. }
    function FindReward(const operationId: UTF8String; const options: TEpsOptions): TEpsJson;
    { Uses a reward on a receipt. A redeem cannot be undone. }
    function RedeemReward(const contactId, assignmentId: UTF8String; const options: TEpsOptions): TEpsJson; overload;
    { The same without a contact. }
    function RedeemReward(const assignmentId: UTF8String; const options: TEpsOptions): TEpsJson; overload;
    { Lists the operations that are pending, or final and not acknowledged. }
    function ListUnacknowledged(const options: TEpsOptions): TEpsJson;
    { Lists the operations of the journal, also the acknowledged ones, page by page. }
    function ListOperations(const options: TEpsOptions): TEpsJson;
    { Returns the last known state of an operation. }
    function GetOperation(const operationId: UTF8String): TEpsJson;
    { Resolves the pending operations now, instead of at their next scheduled time. }
    function ResolvePending(const options: TEpsOptions): TEpsJson;
    { Acknowledges that the POS has stored the outcome of an operation. }
    function Acknowledge(const operationId: UTF8String): TEpsJson;
    { Stores the decision of a person, 'completed' or 'declined', and acknowledges the operation. }
    function ResolveReview(const operationId, resolution: UTF8String; const options: TEpsOptions): TEpsJson;
    { Acknowledges all operations of a reference, or none. }
    function AcknowledgeReference(const reference: UTF8String): TEpsJson;
    { Copies the journal into one new file, while it is in use. The path is absolute. }
    function BackupJournal(const path: UTF8String): TEpsJson;
    { Returns the counters since open, and the numbers of records in the journal. }
    function ReadStats: TEpsJson;
    { Checks everything that a sale needs, and says what to do about what is wrong. }
    function Check(const options: TEpsOptions): TEpsJson;
    { Returns the metrics of this client and its journal: OpenMetrics text. }
    function ReadMetrics: UTF8String;
    { Sets the event that gets each line of the log, as JSON. Nil removes it. }
    procedure SetLog(level: Int32; event: TEpsLogEvent);
    { Sets the event that gets each operation whose state has changed, first every one that is not
      acknowledged. Nil removes it. }
    procedure SetNotify(event: TEpsNotifyEvent);
  end;

// Codes: written by `cargo xtask header`.
const
  // The C API's EPS_ABI_VERSION, which is a function's name here.
  EPS_ABI = 1;

  // The outcomes: the values of eps_outcome.
  /// Engage has completed the operation, or a read has succeeded.
  EPS_OUTCOME_COMPLETED = 0;
  /// Engage has declined the operation; nothing was deducted.
  EPS_OUTCOME_DECLINED = 1;
  /// The outcome is not known yet. Never treat it as failed.
  EPS_OUTCOME_PENDING = 2;
  /// No attempt has left the till, or a read failed. Try again.
  EPS_OUTCOME_NOT_SENT = 3;

  // The log levels. Each level includes the levels above it.
  /// No lines.
  EPS_LOG_OFF = 0;
  /// Faults that need an administrator: the journal fails, the key is rejected.
  EPS_LOG_ERROR = 1;
  /// Reads and status queries that failed, log lines that were dropped.
  EPS_LOG_WARN = 2;
  /// Every attempt, and its outcome.
  EPS_LOG_INFO = 3;
  /// Every read and every request.
  EPS_LOG_DEBUG = 4;

  // Codes. The class of a code says what the POS does next.

  // 0, completed: go on, then acknowledge.
  /// Completed. A purchase: Engage has completed it.
  EPS_OK = 0;

  // -1xx, the caller's mistake: fix the program.
  /// A required pointer is NULL; the message names the argument.
  EPS_NULL_ARGUMENT = -101;
  /// An argument is not valid UTF-8; the message names it and the byte.
  EPS_BAD_UTF8 = -102;
  /// A required argument is empty; the message names it.
  EPS_EMPTY_ARGUMENT = -103;
  /// An identifier is not a GUID of the form 8-4-4-4-12; the message names it.
  EPS_NOT_A_GUID = -104;
  /// options_json is not a JSON object, or a key in it is unknown, of the wrong type or out of
  /// range; the message names the key.
  EPS_BAD_OPTIONS = -105;
  /// The pointer is not a client of this library.
  EPS_BAD_HANDLE = -106;
  /// The client is closed or being closed.
  EPS_CLOSED = -107;
  /// This till has used the purchase id for another contact or another item. Use a fresh id.
  EPS_PURCHASE_ID_CONFLICT = -108;
  /// The journal holds no operation of this id.
  EPS_UNKNOWN_OPERATION = -109;
  /// The operation cannot be acknowledged: its outcome is not known yet.
  EPS_STILL_PENDING = -110;
  /// The log level is none of EPS_LOG_OFF to EPS_LOG_DEBUG.
  EPS_BAD_LOG_LEVEL = -111;
  /// This reference and item already belong to another purchase id, or to a sale of another
  /// contact or tenant that is not acknowledged.
  EPS_REFERENCE_CONFLICT = -112;
  /// The key to find a contact by is none of email, mobilePhone, socialSecurityNumber, customKey
  /// and any.
  EPS_BAD_KEY = -113;
  /// The process was forked from one that had opened a client. Open the first client after the
  /// fork, or start a new program.
  EPS_FORKED = -116;
  /// Another redeem of this reward, for another reference or channel, is pending on this till.
  /// Wait for its outcome.
  EPS_REWARD_IN_USE = -114;
  /// The reference belongs to an operation that was acknowledged before referenceWindowMs. Put
  /// the date and the line into the reference, or leave the reference out and pass a purchase id
  /// of your own.
  EPS_REFERENCE_REUSED = -117;
  /// The operation is a redeem; only a purchase gives a reward.
  EPS_NOT_A_PURCHASE = -115;

  // -2xx, configuration or credentials: call the administrator.
  /// config_json is not a JSON object, or a key in it is missing, unknown, of the wrong type or
  /// out of range; the message names the key.
  EPS_BAD_CONFIG = -200;
  /// The program was compiled against the header of another ABI version.
  EPS_ABI_MISMATCH = -210;
  /// No certificate authority could be loaded from caFile or from the operating system.
  EPS_NO_CA_CERTIFICATES = -211;
  /// Engage responded with status 401: the API key is missing, wrong or revoked. Nothing was
  /// deducted.
  EPS_UNAUTHORIZED = -212;
  /// Engage responded with status 403: the API key may not do this. Nothing was deducted.
  EPS_FORBIDDEN = -213;
  /// InvalidSystemConfiguration: Engage itself is not set up for this; no retry cures it.
  EPS_SYSTEM_CONFIGURATION = -214;
  /// The proxy requires a user and a password, or rejects the configured ones. Nothing was sent.
  EPS_PROXY_LOGIN = -215;

  // -3xx, declined: nothing was deducted. Inform the member.
  /// Engage has declined it; httpStatus and engageCode say more. Nothing was deducted.
  EPS_DECLINED = -300;
  /// PromotionAssignmentContactNotFound or ContactNotFound: there is no such contact.
  EPS_CONTACT_NOT_FOUND = -310;
  /// PromotionAssignmentPromotionNotFound: the promotion linked to the item was removed.
  EPS_PROMOTION_NOT_FOUND = -311;
  /// PromotionAssignmentPromotionExpired: the promotion linked to the item has ended.
  EPS_PROMOTION_EXPIRED = -312;
  /// 404: the item does not exist.
  EPS_ITEM_NOT_FOUND = -313;
  /// PointShopItemPurchaseFailed, or the purchase's status is Failed.
  EPS_PURCHASE_FAILED = -314;
  /// 422: not enough points, not eligible, or outside the item's window.
  EPS_PURCHASE_NOT_ALLOWED = -315;
  /// 400 without a code: for a purchase, its id belongs to another contact.
  EPS_INVALID_REQUEST = -316;
  /// InvalidContact: Engage does not accept the contact id.
  EPS_INVALID_CONTACT = -317;
  /// InvalidEmailAddress: Engage does not accept the e-mail address.
  EPS_INVALID_EMAIL = -318;
  /// InvalidPhoneNumber: Engage does not accept the phone number.
  EPS_INVALID_PHONE = -319;
  /// InvalidSocialSecurityNumber: Engage does not accept the number.
  EPS_INVALID_SOCIAL_SECURITY_NUMBER = -320;
  /// InvalidContactType: Engage does not know the contactType.
  EPS_INVALID_CONTACT_TYPE = -321;
  /// InvalidSearchQuery: Engage does not accept the search.
  EPS_INVALID_SEARCH = -322;
  /// MultipleMatches: more than one contact fits; use a key that is unique.
  EPS_MULTIPLE_MATCHES = -323;
  /// NotAValidRedemptionChannel: Engage does not know the channel.
  EPS_INVALID_CHANNEL = -324;
  /// InvalidPromotionIdNoData: Engage does not accept the assignment id.
  EPS_INVALID_REWARD = -325;
  /// PromotionNotFound, or 404: there is no such reward. A promotionId is no assignment id.
  EPS_REWARD_NOT_FOUND = -326;
  /// PromotionNotAssociatedWithContact: the reward is not this member's.
  EPS_REWARD_NOT_OF_CONTACT = -327;
  /// PromotionAlreadyRedeemed: the reward was used before, and not by this operation.
  EPS_ALREADY_REDEEMED = -328;
  /// PromotionNotValidForRedemptionChannel: the reward cannot be used on this channel.
  EPS_REWARD_NOT_FOR_CHANNEL = -329;

  // -4xx, not sent, or a read that failed: try again.
  /// No connection to the server could be made.
  EPS_OFFLINE = -411;
  /// The server's name could not be resolved.
  EPS_DNS_FAILED = -412;
  /// The TLS handshake failed; cause names the reason to its last link.
  EPS_TLS_FAILED = -413;
  /// The wait ended: a read has no response, or a purchase was withdrawn before anything was
  /// sent.
  EPS_TIMED_OUT = -414;
  /// eps_cancel: a read has no response, or a purchase was withdrawn before anything was sent.
  EPS_CANCELLED = -415;
  /// 429 to a read: too many requests with this API key; retryAfterMs says when to try again if
  /// Engage said so.
  EPS_RATE_LIMITED = -416;
  /// The response to a read is not Engage's JSON: a web page, cut off, or of another shape.
  EPS_INVALID_RESPONSE = -417;
  /// The response to a read is larger than maxResponseBytes.
  EPS_RESPONSE_TOO_LARGE = -418;
  /// The server responded to a read with a 5xx status, or with 408 or 425.
  EPS_SERVER_ERROR = -419;
  /// The connection ended before the response to a read was complete.
  EPS_CONNECTION_LOST = -420;
  /// The proxy does not connect to the server; the message has its status. Nothing was sent.
  EPS_PROXY_FAILED = -421;
  /// There was no memory for a response, a list or a thread. Nothing was sent.
  EPS_OUT_OF_MEMORY = -422;

  // -5xx, pending: the outcome is not known yet. Let the sale go on. The library resolves it.
  /// The outcome is not known yet; httpStatus and engageCode say more.
  EPS_PENDING = -500;
  /// The wait ended before Engage responded. The request goes on and its response is journaled.
  EPS_PENDING_WAIT_ENDED = -510;
  /// eps_cancel ended the wait. The request goes on and its response is journaled.
  EPS_PENDING_CANCELLED = -511;
  /// The connection ended after the request may have left and before its response came.
  EPS_PENDING_CONNECTION_LOST = -512;
  /// Engage is still processing it (PointShopItemPurchaseProcessingTimedOut, or status
  /// Processing).
  EPS_PENDING_PROCESSING = -513;
  /// The response is not Engage's (a web page, cut off, another shape), or this version does not
  /// know its status.
  EPS_PENDING_INVALID_RESPONSE = -514;
  /// A 5xx response: Engage, a gateway or a proxy failed, and the purchase may have been made.
  EPS_PENDING_SERVER_ERROR = -515;
  /// PromotionAssignmentError: an internal error of Engage, to be retried with the same id.
  EPS_PENDING_ASSIGNMENT_ERROR = -516;
  /// 429: too many requests with this API key. The library tries again by itself.
  EPS_PENDING_RATE_LIMITED = -517;
  /// The outcome could not be written to the journal. The library queries it again.
  EPS_PENDING_NOT_PERSISTED = -518;
  /// The client was closed during the wait. The operation is resolved after the next open.
  EPS_PENDING_CLOSED = -519;
  /// Older than resendLimitMs, and Engage does not show it: it is not sent again, and a person
  /// must decide.
  EPS_PENDING_NEEDS_REVIEW = -520;
  /// An earlier attempt may have been processed, and Engage now responds with 401 or 403. Have
  /// the administrator check the API key.
  EPS_PENDING_CREDENTIALS = -521;
  /// Engage shows a redeemed reward, or after a loss of records a purchase of the same item, and
  /// nothing proves whether it is of this operation. A person must decide.
  EPS_PENDING_AMBIGUOUS = -522;
  /// The operation is durable and is being sent.
  EPS_PENDING_SUBMITTED = -523;
  /// There was no memory for the response of an attempt.
  EPS_PENDING_OUT_OF_MEMORY = -524;

  // -6xx, the journal cannot be used: nothing was sent. Call the administrator.
  /// The journal could not be read or written. Nothing was sent.
  EPS_JOURNAL = -600;
  /// The journal cannot be opened: no such folder, a folder in its place, no permission.
  EPS_JOURNAL_CANNOT_OPEN = -610;
  /// The disk that holds the journal is full. Nothing was sent.
  EPS_JOURNAL_FULL = -611;
  /// Another program holds the journal locked. Nothing was sent.
  EPS_JOURNAL_LOCKED = -612;
  /// The journal was written by a newer version of this library. It was left untouched.
  EPS_JOURNAL_NEWER = -613;
  /// The journal is damaged. It was left untouched.
  EPS_JOURNAL_DAMAGED = -614;
  /// The file at journalPath belongs to another program. It was left untouched.
  EPS_JOURNAL_FOREIGN = -615;
  /// The journal can be read but not written. Nothing was sent.
  EPS_JOURNAL_READ_ONLY = -616;
  /// Records are missing (a lost, damaged or older file). The message says since when, and the
  /// way out.
  EPS_JOURNAL_INCOMPLETE = -617;
  /// The journal is a copy; see journalRole.
  EPS_JOURNAL_COPY = -618;
  /// Another copy of this library in this process has the journal open.
  EPS_JOURNAL_SECOND_COPY = -619;
  /// The files on the disk are no longer the ones that are open.
  EPS_JOURNAL_REPLACED = -620;
  /// The file is not a regular file, is reached by a link, or belongs to or may be written by
  /// others.
  EPS_JOURNAL_UNSAFE = -621;
  /// The disk did not respond within the wait.
  EPS_JOURNAL_TIMED_OUT = -622;

  // -9xx, a fault of the library: report it.
  /// A fault of this library (a caught panic). If it was a purchase, its outcome is in the
  /// journal. Please report it.
  EPS_INTERNAL = -900;

var
  // The functions of engage_point_shop.h. LoadEps finds them.
  eps_client_open: function(abi: UInt32; config_json: PAnsiChar; out client: PEpsClient; out output: TEpsBuffer): Int32; cdecl;
  eps_client_close: function(client: PEpsClient): Int32; cdecl;
  eps_cancel: function(client: PEpsClient): Int32; cdecl;
  eps_cancel_call: function(client: PEpsClient; call_id: PAnsiChar): Int32; cdecl;
  eps_find_contact: function(client: PEpsClient; key: PAnsiChar; value: PAnsiChar; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_list_points: function(client: PEpsClient; contact_id: PAnsiChar; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_list_items: function(client: PEpsClient; contact_id: PAnsiChar; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_purchase: function(client: PEpsClient; contact_id: PAnsiChar; item_id: PAnsiChar; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_list_purchases: function(client: PEpsClient; contact_id: PAnsiChar; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_list_rewards: function(client: PEpsClient; contact_id: PAnsiChar; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_find_reward: function(client: PEpsClient; operation_id: PAnsiChar; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_redeem_reward: function(client: PEpsClient; contact_id: PAnsiChar; assignment_id: PAnsiChar; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_list_unacknowledged: function(client: PEpsClient; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_list_operations: function(client: PEpsClient; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_get_operation: function(client: PEpsClient; operation_id: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_resolve_pending: function(client: PEpsClient; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_acknowledge: function(client: PEpsClient; operation_id: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_resolve_review: function(client: PEpsClient; operation_id: PAnsiChar; resolution: PAnsiChar; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_acknowledge_reference: function(client: PEpsClient; reference: PAnsiChar; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_backup_journal: function(client: PEpsClient; path: PAnsiChar; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_read_stats: function(client: PEpsClient; out output: TEpsBuffer): Int32; cdecl;
  eps_check: function(client: PEpsClient; options_json: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_read_metrics: function(client: PEpsClient; out output: TEpsBuffer): Int32; cdecl;
  eps_set_log: function(client: PEpsClient; level: Int32; fn: TEpsLogFunction; user: Pointer): Int32; cdecl;
  eps_set_notify: function(client: PEpsClient; fn: TEpsNotifyFunction; user: Pointer): Int32; cdecl;
  eps_new_id: function(out output: TEpsBuffer): Int32; cdecl;
  eps_buffer_dispose: procedure(var buffer: TEpsBuffer); cdecl;
  eps_outcome: function(code: Int32): Int32; cdecl;
  eps_code_name: function(code: Int32): PAnsiChar; cdecl;
  eps_code_action: function(code: Int32): PAnsiChar; cdecl;
  eps_code_meaning: function(code: Int32): PAnsiChar; cdecl;
  eps_json_get: function(var buffer: TEpsBuffer; path: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_json_quote: function(text: PAnsiChar; out output: TEpsBuffer): Int32; cdecl;
  eps_version: function: PAnsiChar; cdecl;
  eps_abi_version: function: UInt32; cdecl;
// End of codes.

var
  { Gets what an event raises. Without it, such an exception is dropped. }
  EpsOnEventException: procedure(error: Exception) = nil;

{ Finds the native library and its functions. Every function below calls it. }
procedure LoadEps;
{ Returns options without a key. }
function EpsOptions: TEpsOptions;
{ Returns options that the program has as a JSON object. The call rejects any other text. }
function EpsOptionsOf(const json: UTF8String): TEpsOptions;
{ Returns a JSON text. }
function EpsJson(const text: UTF8String): TEpsJson;
{ Returns the elements of an array: for each in EpsItems(list.Value('/operations')) do … }
function EpsItems(const list: TEpsJson): TEpsItems;
{ Makes a new purchase id. The POS stores the id before it is used. }
function EpsNewId: UTF8String;
{ Writes a text as a JSON string with its quotes. }
function EpsQuote(const text: UTF8String): UTF8String;
{ Returns one value of a JSON text: a string is unquoted, another is JSON. Raises EEpsNotSent
  (EPS_BAD_OPTIONS) if there is none. }
function EpsGet(const json, path: UTF8String): UTF8String;
{ Returns a code's name, 'EPS_OK'. }
function EpsName(code: Int32): UTF8String;
{ Returns who acts on a code, also on a code that is newer than this unit. }
function EpsAction(code: Int32): UTF8String;
{ Returns the meaning of a code in one or two English sentences. }
function EpsMeaning(code: Int32): UTF8String;
{ Returns the library's version, '1.2.3'. }
function EpsVersion: UTF8String;

implementation

const
  {$IFDEF MSWINDOWS}
  LIBRARY_FILE = 'engage_point_shop.dll';
  SYSTEMS_FILE = LIBRARY_FILE;
  {$ELSE}
  LIBRARY_FILE = 'libengage_point_shop.so';
  SYSTEMS_FILE = LIBRARY_FILE + '.1';
  {$ENDIF}

type
  { An event in use. The library gets its number, so that a late call is harmless. }
  TUsed = record
    Number: NativeUInt;
    Log: TEpsLogEvent;
    Notify: TEpsNotifyEvent;
  end;

var
  Lock: TCriticalSection;
  IsLoaded: Boolean = False;
  Used: array of TUsed;
  Numbers: NativeUInt = 0;

{ --- The library ------------------------------------------------------------------------------- }

procedure LoadLocked;
var
  loaded: {$IFDEF FPC}TLibHandle{$ELSE}HMODULE{$ENDIF};
  place: string;

  procedure Find(const name: string; variable: PPointer);
  begin
    variable^ := GetProcAddress(loaded, {$IFDEF FPC}name{$ELSE}PChar(name){$ENDIF});
    if variable^ = nil then
      raise EEpsLibrary.CreateFmt('%s is no engage_point_shop of this unit''s release: it has no %s. ' +
        'Use the library and the unit of one release.', [place, name]);
  end;

begin
  place := ExtractFilePath(ParamStr(0)) + LIBRARY_FILE;
  if not FileExists(place) then place := SYSTEMS_FILE;
  loaded := LoadLibrary({$IFDEF FPC}place{$ELSE}PChar(place){$ENDIF});
  if loaded = 0 then
    raise EEpsLibrary.CreateFmt('The native library %s cannot be loaded into this %d-bit program: %s. ' +
      'Put the library of a release beside the program.',
      [place, 8 * SizeOf(Pointer), {$IFDEF FPC}GetLoadErrorStr{$ELSE}SysErrorMessage(GetLastError){$ENDIF}]);
  // The version first, because another version may lack the other functions.
  Find('eps_abi_version', @@eps_abi_version);
  if eps_abi_version <> EPS_ABI then
    raise EEpsLibrary.CreateFmt('%s has ABI version %d. This unit needs %d. ' +
      'Use the library and the unit of one release.', [place, eps_abi_version, EPS_ABI]);
  // Functions: written by `cargo xtask header`.
  Find('eps_client_open', @@eps_client_open);
  Find('eps_client_close', @@eps_client_close);
  Find('eps_cancel', @@eps_cancel);
  Find('eps_cancel_call', @@eps_cancel_call);
  Find('eps_find_contact', @@eps_find_contact);
  Find('eps_list_points', @@eps_list_points);
  Find('eps_list_items', @@eps_list_items);
  Find('eps_purchase', @@eps_purchase);
  Find('eps_list_purchases', @@eps_list_purchases);
  Find('eps_list_rewards', @@eps_list_rewards);
  Find('eps_find_reward', @@eps_find_reward);
  Find('eps_redeem_reward', @@eps_redeem_reward);
  Find('eps_list_unacknowledged', @@eps_list_unacknowledged);
  Find('eps_list_operations', @@eps_list_operations);
  Find('eps_get_operation', @@eps_get_operation);
  Find('eps_resolve_pending', @@eps_resolve_pending);
  Find('eps_acknowledge', @@eps_acknowledge);
  Find('eps_resolve_review', @@eps_resolve_review);
  Find('eps_acknowledge_reference', @@eps_acknowledge_reference);
  Find('eps_backup_journal', @@eps_backup_journal);
  Find('eps_read_stats', @@eps_read_stats);
  Find('eps_check', @@eps_check);
  Find('eps_read_metrics', @@eps_read_metrics);
  Find('eps_set_log', @@eps_set_log);
  Find('eps_set_notify', @@eps_set_notify);
  Find('eps_new_id', @@eps_new_id);
  Find('eps_buffer_dispose', @@eps_buffer_dispose);
  Find('eps_outcome', @@eps_outcome);
  Find('eps_code_name', @@eps_code_name);
  Find('eps_code_action', @@eps_code_action);
  Find('eps_code_meaning', @@eps_code_meaning);
  Find('eps_json_get', @@eps_json_get);
  Find('eps_json_quote', @@eps_json_quote);
  Find('eps_version', @@eps_version);
  Find('eps_abi_version', @@eps_abi_version);
  // End of functions.
end;

procedure LoadEps;
begin
  if IsLoaded then Exit;
  Lock.Acquire;
  try
    if not IsLoaded then LoadLocked;
    IsLoaded := True;
  finally
    Lock.Release;
  end;
end;

{ --- Texts and buffers ------------------------------------------------------------------------- }

{ Returns a text for the C API, which ends at a NUL. }
function Given(const text: UTF8String): PAnsiChar;
begin
  if Pos(AnsiChar(#0), text) > 0 then
    raise EArgumentException.Create('A text has a NUL character inside. Remove the character.');
  Result := PAnsiChar(text);
end;

{ Disposes of a buffer and returns its text. }
function Taken(var buffer: TEpsBuffer): TEpsJson;
begin
  SetString(Result.FJson, buffer.Data, buffer.Len);
  eps_buffer_dispose(buffer);
end;

procedure CheckCode(code: Int32; const problem: TEpsJson);
begin
  if code = EPS_OK then Exit;
  case eps_outcome(code) of
    EPS_OUTCOME_DECLINED: raise EEpsDeclined.CreateOf(code, problem);
    EPS_OUTCOME_NOT_SENT: raise EEpsNotSent.CreateOf(code, problem);
  else
    raise EEpsPending.CreateOf(code, problem);
  end;
end;

function Checked(code: Int32; var buffer: TEpsBuffer): TEpsJson;
begin
  Result := Taken(buffer);
  CheckCode(code, Result);
end;

function EpsOptions: TEpsOptions;
begin
  Result.FJson := '';
end;

function EpsOptionsOf(const json: UTF8String): TEpsOptions;
begin
  Result.FJson := json;
end;

function EpsJson(const text: UTF8String): TEpsJson;
begin
  Result.FJson := text;
end;

function EpsNewId: UTF8String;
var
  buffer: TEpsBuffer;
begin
  LoadEps;
  Result := Checked(eps_new_id(buffer), buffer).Text('');
end;

function EpsQuote(const text: UTF8String): UTF8String;
var
  buffer: TEpsBuffer;
begin
  LoadEps;
  Result := Checked(eps_json_quote(Given(text), buffer), buffer).Json;
end;

function EpsGet(const json, path: UTF8String): UTF8String;
var
  source, buffer: TEpsBuffer;
begin
  LoadEps;
  source.Data := PAnsiChar(json);
  source.Len := Length(json);
  source.Reserved := 0;
  Result := Checked(eps_json_get(source, Given(path), buffer), buffer).Json;
end;

function EpsName(code: Int32): UTF8String;
begin
  LoadEps;
  Result := UTF8String(eps_code_name(code));
end;

function EpsAction(code: Int32): UTF8String;
begin
  LoadEps;
  Result := UTF8String(eps_code_action(code));
end;

function EpsMeaning(code: Int32): UTF8String;
begin
  LoadEps;
  Result := UTF8String(eps_code_meaning(code));
end;

function EpsVersion: UTF8String;
begin
  LoadEps;
  Result := UTF8String(eps_version);
end;

{ --- JSON -------------------------------------------------------------------------------------- }

function TEpsJson.Find(const path: UTF8String; out found: UTF8String): Boolean;
var
  source, buffer: TEpsBuffer;
begin
  LoadEps;
  source.Data := PAnsiChar(FJson);
  source.Len := Length(FJson);
  source.Reserved := 0;
  Result := eps_json_get(source, Given(path), buffer) = EPS_OK;
  found := Taken(buffer).FJson;
end;

function TEpsJson.Has(const path: UTF8String): Boolean;
var
  found: UTF8String;
begin
  Result := Find(path, found) and (found <> 'null');
end;

function TEpsJson.Text(const path: UTF8String): UTF8String;
begin
  if not Find(path, Result) or (Result = 'null') then Result := '';
end;

function TEpsJson.Number(const path: UTF8String): Double;
var
  found: UTF8String;
  error: Integer;
begin
  found := Text(path);
  Result := 0;
  if found = '' then Exit;
  Val(string(found), Result, error);
  if error <> 0 then raise EConvertError.CreateFmt('The value at %s is no number: %s', [path, found]);
end;

function TEpsJson.Whole(const path: UTF8String): Int64;
var
  found: Double;
begin
  if TryStrToInt64(string(Text(path)), Result) then Exit;
  found := Number(path);
  // From 2^53 on, a Double may be another number than the text.
  if (Frac(found) <> 0) or (Abs(found) >= 9007199254740992.0) then
    raise EConvertError.CreateFmt('The value at %s is no whole number: %s', [path, Text(path)]);
  Result := Trunc(found);
end;

function TEpsJson.Flag(const path: UTF8String): Boolean;
begin
  Result := Text(path) = 'true';
end;

function TEpsJson.Count(const path: UTF8String): Integer;
var
  first: UTF8String;
begin
  Result := 0;
  // A text may look like an array, but it has no element.
  if Find(path + '/0', first) then Result := Length(EpsItems(Value(path)));
end;

function TEpsJson.Value(const path: UTF8String): TEpsJson;
begin
  if not Find(path, Result.FJson) then Result.FJson := 'null';
end;

function EpsItems(const list: TEpsJson): TEpsItems;
var
  found: UTF8String;
  at, start, depth: Integer;
  isText: Boolean;

  procedure Add;
  begin
    SetLength(Result, Length(Result) + 1);
    Result[High(Result)].FJson := Copy(found, start, at - start);
    start := at + 1;
  end;

begin
  Result := nil;
  // One pass over an array with an element. The library has checked that it is JSON.
  if not list.Find('/0', found) or not list.Find('', found) or (found[1] <> '[') then Exit;
  start := 2;
  depth := 0;
  isText := False;
  at := 1;
  while at <= Length(found) do
  begin
    if isText then
      case found[at] of
        '\': Inc(at);
        '"': isText := False;
      end
    else
      case found[at] of
        '"': isText := True;
        '[', '{': Inc(depth);
        ']', '}': Dec(depth);
        ',': if depth = 1 then Add;
      end;
    Inc(at);
  end;
  Dec(at);
  Add;
end;

{ The members so far stay as they are, whatever they are: the call rejects what is no object. }
function TEpsOptions.Json(const key, value: UTF8String): TEpsOptions;
var
  before: UTF8String;

  procedure CutSpace;
  begin
    while (before <> '') and (before[Length(before)] <= ' ') do SetLength(before, Length(before) - 1);
  end;

begin
  before := ToJson;
  CutSpace;
  if Copy(before, Length(before), 1) = '}' then SetLength(before, Length(before) - 1);
  CutSpace;
  if Copy(before, Length(before), 1) <> '{' then before := before + ',';
  Result.FJson := before + EpsQuote(key) + ':' + value + '}';
end;

function TEpsOptions.Text(const key, value: UTF8String): TEpsOptions;
begin
  Result := Json(key, EpsQuote(value));
end;

function TEpsOptions.Whole(const key: UTF8String; value: Int64): TEpsOptions;
begin
  Result := Json(key, UTF8String(IntToStr(value)));
end;

function TEpsOptions.Flag(const key: UTF8String; value: Boolean): TEpsOptions;
begin
  if value then Result := Json(key, 'true') else Result := Json(key, 'false');
end;

function TEpsOptions.ToJson: UTF8String;
begin
  Result := FJson;
  if Result = '' then Result := '{}';
end;

{ --- Exceptions -------------------------------------------------------------------------------- }

{ Returns the problem object of a code for which the library gave none. }
function ProblemOf(code: Int32): TEpsJson;
var
  outcome, cashier, member: UTF8String;
begin
  cashier := 'Not available now. Call support.';
  member := 'Points and rewards are not available right now.';
  if EpsAction(code) = 'retry' then
  begin
    cashier := 'This was interrupted. Try again.';
    member := 'This was interrupted. We will try again.';
  end;
  case eps_outcome(code) of
    EPS_OUTCOME_DECLINED: outcome := 'declined';
    EPS_OUTCOME_NOT_SENT: outcome := 'notSent';
  else
    outcome := 'pending';
    cashier := 'Not clear yet. Finish the sale, and call support.';
    member := 'Your request takes a little longer. You will see it in your points.';
  end;
  Result.FJson := '{"code":' + UTF8String(IntToStr(code)) + ',"name":"' + EpsName(code) + '","outcome":"' + outcome
    + '","message":"' + EpsMeaning(code) + '","httpStatus":null,"engageCode":null,"operationId":null,"purchaseId":null,'
    + '"attempts":0,"retryAfterMs":null,"cause":[],"forCashier":"' + cashier + '","forMember":"' + member + '"}';
end;

constructor EEpsError.CreateOf(aCode: Int32; const aProblem: TEpsJson);
begin
  FCode := aCode;
  FProblem := aProblem;
  if FProblem.FJson = '' then FProblem := ProblemOf(aCode);
  inherited Create(string(Explanation));
end;

function EEpsError.Explanation: UTF8String;
begin
  Result := EpsName(FCode) + ' (' + UTF8String(IntToStr(FCode)) + '): ' + FProblem.Text('/message');
end;

function EEpsError.Action: UTF8String;
begin
  Result := EpsAction(FCode);
end;

{ --- Events ------------------------------------------------------------------------------------ }

{ Returns an event in use by its number. }
function Find(user: Pointer): TUsed;
var
  each: TUsed;
begin
  Result.Number := 0;
  Result.Log := nil;
  Result.Notify := nil;
  Lock.Acquire;
  try
    for each in Used do
      if each.Number = NativeUInt(user) then Result := each;
  finally
    Lock.Release;
  end;
end;

{ Puts an event into use and returns its number. }
function Use(log: TEpsLogEvent; notify: TEpsNotifyEvent): NativeUInt;
begin
  Lock.Acquire;
  try
    Inc(Numbers);
    SetLength(Used, Length(Used) + 1);
    Used[High(Used)].Number := Numbers;
    Used[High(Used)].Log := log;
    Used[High(Used)].Notify := notify;
    Result := Numbers;
  finally
    Lock.Release;
  end;
end;

procedure Drop(number: NativeUInt);
var
  at: Integer;
begin
  Lock.Acquire;
  try
    for at := High(Used) downto 0 do
      if Used[at].Number = number then
      begin
        Used[at] := Used[High(Used)];
        SetLength(Used, Length(Used) - 1);
        Break;
      end;
  finally
    Lock.Release;
  end;
end;

function Copied(data: PAnsiChar; len: NativeUInt): UTF8String;
begin
  SetString(Result, data, len);
end;

{ Reports what an event has raised. Nothing may leave these three: the library calls them. }
procedure Report;
var
  other: Exception;
begin
  try
    if not Assigned(EpsOnEventException) then Exit;
    if ExceptObject is Exception then EpsOnEventException(Exception(ExceptObject))
    else
    begin
      other := Exception.Create('An event raised an object that is no Exception: ' + ExceptObject.ClassName);
      try
        EpsOnEventException(other);
      finally
        other.Free;
      end;
    end;
  except
    // There is nobody left to report it to.
  end;
end;

procedure ReceiveLine(user: Pointer; level: Int32; line: PAnsiChar; len: NativeUInt); cdecl;
var
  event: TEpsLogEvent;
begin
  try
    event := Find(user).Log;
    if Assigned(event) then event(level, Copied(line, len));
  except
    Report;
  end;
end;

procedure ReceiveChange(user: Pointer; json: PAnsiChar; len: NativeUInt); cdecl;
var
  event: TEpsNotifyEvent;
begin
  try
    event := Find(user).Notify;
    if Assigned(event) then event(EpsJson(Copied(json, len)));
  except
    Report;
  end;
end;

{ --- The client -------------------------------------------------------------------------------- }

constructor TEpsClient.Create(const config: TEpsOptions);
var
  buffer: TEpsBuffer;
begin
  inherited Create;
  LoadEps;
  Checked(eps_client_open(EPS_ABI, Given(config.ToJson), FHandle, buffer), buffer);
end;

destructor TEpsClient.Destroy;
begin
  // Without a handle the constructor has raised.
  if FHandle <> nil then eps_client_close(FHandle);
  Drop(FLog);
  Drop(FNotify);
  inherited Destroy;
end;

procedure TEpsClient.Close;
begin
  CheckCode(eps_client_close(FHandle), EpsJson(''));
end;

procedure TEpsClient.Cancel;
begin
  CheckCode(eps_cancel(FHandle), EpsJson(''));
end;

procedure TEpsClient.CancelCall(const callId: UTF8String);
begin
  CheckCode(eps_cancel_call(FHandle, Given(callId)), EpsJson(''));
end;

function Spent(code: Int32; var buffer: TEpsBuffer): TEpsJson;
begin
  Result := Taken(buffer);
  // Durable and on its way, as asked for.
  if (code = EPS_PENDING_SUBMITTED) and Result.Has('/operation') then
    Result := Result.Value('/operation')
  else
    CheckCode(code, Result);
end;

function TEpsClient.FindContact(const key, value: UTF8String; const options: TEpsOptions): UTF8String;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_find_contact(FHandle, Given(key), Given(value), Given(options.ToJson), buffer), buffer).Text('');
end;

function TEpsClient.ListPoints(const contactId: UTF8String; const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_list_points(FHandle, Given(contactId), Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.ListItems(const contactId: UTF8String; const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_list_items(FHandle, Given(contactId), Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.Purchase(const contactId, itemId: UTF8String; const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Spent(eps_purchase(FHandle, Given(contactId), Given(itemId), Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.ListPurchases(const contactId: UTF8String; const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_list_purchases(FHandle, Given(contactId), Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.ListRewards(const contactId: UTF8String; const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_list_rewards(FHandle, Given(contactId), Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.FindReward(const operationId: UTF8String; const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_find_reward(FHandle, Given(operationId), Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.RedeemReward(const contactId, assignmentId: UTF8String; const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Spent(eps_redeem_reward(FHandle, Given(contactId), Given(assignmentId), Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.RedeemReward(const assignmentId: UTF8String; const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Spent(eps_redeem_reward(FHandle, nil, Given(assignmentId), Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.ListUnacknowledged(const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_list_unacknowledged(FHandle, Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.ListOperations(const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_list_operations(FHandle, Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.GetOperation(const operationId: UTF8String): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_get_operation(FHandle, Given(operationId), buffer), buffer);
end;

function TEpsClient.ResolvePending(const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_resolve_pending(FHandle, Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.Acknowledge(const operationId: UTF8String): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_acknowledge(FHandle, Given(operationId), buffer), buffer);
end;

function TEpsClient.ResolveReview(const operationId, resolution: UTF8String; const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_resolve_review(FHandle, Given(operationId), Given(resolution), Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.AcknowledgeReference(const reference: UTF8String): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_acknowledge_reference(FHandle, Given(reference), nil, buffer), buffer);
end;

function TEpsClient.BackupJournal(const path: UTF8String): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_backup_journal(FHandle, Given(path), nil, buffer), buffer);
end;

function TEpsClient.ReadStats: TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_read_stats(FHandle, buffer), buffer);
end;

function TEpsClient.Check(const options: TEpsOptions): TEpsJson;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_check(FHandle, Given(options.ToJson), buffer), buffer);
end;

function TEpsClient.ReadMetrics: UTF8String;
var
  buffer: TEpsBuffer;
begin
  Result := Checked(eps_read_metrics(FHandle, buffer), buffer).Json;
end;

procedure TEpsClient.SetLog(level: Int32; event: TEpsLogEvent);
var
  number: NativeUInt;
  code: Int32;
begin
  number := Use(event, nil);
  if Assigned(event) then
    code := eps_set_log(FHandle, level, ReceiveLine, Pointer(number))
  else
    code := eps_set_log(FHandle, level, nil, nil);
  if code <> EPS_OK then Drop(number);
  CheckCode(code, EpsJson(''));
  Drop(FLog);
  FLog := number;
end;

procedure TEpsClient.SetNotify(event: TEpsNotifyEvent);
var
  number: NativeUInt;
  code: Int32;
begin
  number := Use(nil, event);
  if Assigned(event) then
    code := eps_set_notify(FHandle, ReceiveChange, Pointer(number))
  else
    code := eps_set_notify(FHandle, nil, nil);
  if code <> EPS_OK then Drop(number);
  CheckCode(code, EpsJson(''));
  Drop(FNotify);
  FNotify := number;
end;

initialization
  Lock := TCriticalSection.Create;

// The lock stays: a thread of the library may still call an event while the program ends.
end.
